"""Who is asking: tokens, keys, and the most a caller may ask for."""
