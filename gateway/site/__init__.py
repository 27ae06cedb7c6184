"""Throughline inside an organisation: answers a gateway, under the owner's rules."""
