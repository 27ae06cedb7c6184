"""Real parts that tests may ask for."""

from tests.parts.hapi import hapi
from tests.parts.postgres import postgres

__all__ = ["hapi", "postgres"]
