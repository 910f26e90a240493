"""Doctor: checks of everything that the factory needs, each with its remedy."""
