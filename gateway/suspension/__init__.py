"""Sources that answered with somebody else too often, and what is wrong with them."""
