"""Doctor: checks of everything that a factory needs, each with its remedy."""
