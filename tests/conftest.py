"""Real parts that tests may ask for."""

from tests.parts.hadolint import hadolint
from tests.parts.hapi import hapi, hapi_stu3
from tests.parts.helios import helios
from tests.parts.image import image
from tests.parts.mariadb import mariadb
from tests.parts.mesh import mesh, mesh_sandbox
from tests.parts.oidc import oidc
from tests.parts.postgres import postgres
from tests.parts.sshd import sshd
from tests.parts.stores import office, store_url

__all__ = [
    "hadolint",
    "hapi",
    "hapi_stu3",
    "helios",
    "image",
    "mariadb",
    "mesh",
    "mesh_sandbox",
    "office",
    "oidc",
    "postgres",
    "sshd",
    "store_url",
]
