"""Real parts that tests may ask for."""

from tests.parts.postgres import postgres

__all__ = ["postgres"]
