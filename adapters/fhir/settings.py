"""The source file of a FHIR server, checked as a whole before it is ever asked."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, field_validator, model_validator

from adapters import nhs_number
from adapters.fhir.references import ODS_SYSTEMS
from adapters.fhir.tables import TYPES
from adapters.source_file import Settings, read


def _is_reference(given: str) -> str:
    if re.fullmatch(r"env:[A-Za-z_]\w*|file:.+", given) is None:
        message = 'is no reference to a secret. Write "env:NAME" or "file:/path"'
        raise ValueError(message)
    return given


# Where a secret is, never the secret.
SecretReference = Annotated[str, AfterValidator(_is_reference)]
Text = Annotated[str, Field(min_length=1)]


class IdentifierSettings(Settings):
    """The systems by whose identifiers the server can find a person.

    `placeholders` are values that stand where an identifier is missing, and so
    identify nobody: "TO-FOLLOW", "UNKNOWN".
    """

    systems: Annotated[tuple[Text, ...], Field(min_length=1)] = (nhs_number.SYSTEM,)
    placeholders: tuple[Text, ...] = ()


class AuthSettings(Settings):
    """A bearer token, or a name and password; each by reference."""

    kind: Literal["bearer", "basic"]
    token: SecretReference | None = None
    username: SecretReference | None = None
    password: SecretReference | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        needed = ("token",) if self.kind == "bearer" else ("username", "password")
        others = {"token", "username", "password"} - set(needed)
        if any(getattr(self, name) is None for name in needed) or any(
            getattr(self, name) is not None for name in others
        ):
            message = f"of kind {self.kind} needs {' and '.join(needed)}, and no more"
            raise ValueError(message)
        return self


class FhirSettings(Settings):
    """Every key but kind and base_url has a default."""

    kind: Literal["fhir"]
    base_url: Text
    identifiers: IdentifierSettings = IdentifierSettings()
    types: Annotated[tuple[str, ...], Field(min_length=1)] = tuple(TYPES)
    page_size: Annotated[int, Field(ge=1, le=1000)] = 200
    search: Literal["post", "post-only"] = "post"
    auth: AuthSettings | None = None
    zone: str = "Europe/London"
    ods_systems: Annotated[tuple[Text, ...], Field(min_length=1)] = tuple(
        sorted(ODS_SYSTEMS)
    )
    labels: tuple[Text, ...] = ()

    @field_validator("base_url")
    @classmethod
    def _is_a_base(cls, given: str) -> str:
        parts = urlsplit(given)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            message = "is not an http or https address"
            raise ValueError(message)
        if parts.query or parts.fragment or parts.username or "?" in given:
            message = "may hold neither a query, a fragment nor credentials"
            raise ValueError(message)
        return given.rstrip("/")

    @field_validator("types")
    @classmethod
    def _are_known(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for name in given:
            if name not in TYPES:
                message = f"holds an unknown type. Use any of {', '.join(TYPES)}"
                raise ValueError(message)
        if len(set(given)) < len(given):
            message = "names a type twice"
            raise ValueError(message)
        return given

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, given: str) -> str:
        try:
            ZoneInfo(given)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            message = 'is no time zone. Use a name such as "Europe/London"'
            raise ValueError(message) from None
        return given


def load(path: Path) -> FhirSettings:
    """The settings; ConfigurationError naming file, line, key and remedy."""
    return read(path, FhirSettings)
