"""What may be known, by whom, and why. Needs the standard library alone."""
