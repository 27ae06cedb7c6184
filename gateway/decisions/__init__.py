"""Past decisions, found in the trail again and told in words."""
