"""Settings: profiles, environment variables and arguments, merged and validated."""
