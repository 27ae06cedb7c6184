"""Tables of the gateway's own; never of patients."""
