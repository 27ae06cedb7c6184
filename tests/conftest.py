"""Real parts that tests may ask for."""

from tests.parts.hadolint import hadolint
from tests.parts.hapi import hapi
from tests.parts.image import image
from tests.parts.postgres import postgres
from tests.parts.stores import office, store_url

__all__ = ["hadolint", "hapi", "image", "office", "postgres", "store_url"]
