"""Whether two descriptions are of one person, by demographics alone. Pure."""
