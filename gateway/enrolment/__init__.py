"""Which sites are whose: their keys, registered, confirmed, renewed and revoked."""
