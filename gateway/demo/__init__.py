"""A small health system, generated from a seed, to see a journey woven by hand.

Everyone and everything in it is synthetic: 999-range NHS numbers, invented ODS
codes, invented names, addresses in a postcode area that does not exist.
"""
