"""The source file of a FHIR server, checked as a whole before it is ever asked."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from adapters import nhs_number
from adapters.addresses import is_never_asked, is_own_host
from adapters.fhir.areas import TYPES as RECORD_TYPES
from adapters.fhir.references import ODS_SYSTEMS
from adapters.fhir.tables import TYPES_OF, Version
from adapters.source_file import SecretReference, Settings, read


def _web_address(given: str) -> str:
    """An address of http or https, of a host that a source may be at."""
    try:
        parts = urlsplit(given)
        has_port = parts.port != 0  # reading it checks it
    except ValueError:
        parts, has_port = urlsplit(""), False
    if parts.scheme not in {"https", "http"} or not parts.hostname or not has_port:
        message = "is not an http or https address"
        raise ValueError(message)
    if parts.fragment or "#" in given or "@" in parts.netloc:
        message = "may hold neither a query, a fragment nor credentials"
        raise ValueError(message)
    if re.search(r"[\s\x00-\x1f]", given):
        message = "holds a space or a control character"
        raise ValueError(message)
    if is_never_asked(parts.hostname):
        message = "leads to a link-local address, where no source is"
        raise ValueError(message)
    return given


Algorithm = Literal["RS384", "RS512", "PS256", "ES256", "ES384", "Ed25519"]
Text = Annotated[str, Field(min_length=1)]


class IdentifierSettings(Settings):
    """The systems by whose identifiers the server can find a person.

    `placeholders` are values that stand where an identifier is missing, and so
    identify nobody: "TO-FOLLOW", "UNKNOWN". `follows_superseded`: asked by a superseded
    NHS number, the server answers as whoever has the one that replaced it, as the
    national demographics service does.
    """

    systems: Annotated[tuple[Text, ...], Field(min_length=1)] = (nhs_number.SYSTEM,)
    placeholders: tuple[Text, ...] = ()
    follows_superseded: bool = False


class BearerSettings(Settings):
    """A token that somebody else renews."""

    kind: Literal["bearer"]
    token: SecretReference


class BasicSettings(Settings):
    """A name and its password."""

    kind: Literal["basic"]
    username: SecretReference
    password: SecretReference


class TlsSettings(Settings):
    """Who we are in TLS, and whose word we take for who the server is.

    Without `ca` that is the authorities this machine trusts; with it, they alone.
    """

    certificate: SecretReference | None = None
    key: SecretReference | None = None
    ca: Path | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            message = "needs both certificate and key, or neither"
            raise ValueError(message)
        return self


class OAuth2Settings(Settings):
    """Client credentials: a token is asked for at `token_url`, and kept while it lasts.

    With `private_key_jwt` (RFC 7523, as NHS England and SMART Backend Services have
    it) we sign who we are with `key`; else we tell `client_secret`.
    """

    kind: Literal["oauth2"]
    token_url: Text
    client_id: Text
    method: Literal["private_key_jwt", "client_secret_basic", "client_secret_post"] = (
        "private_key_jwt"
    )
    key: SecretReference | None = None
    kid: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,128}$")] | None = None
    algorithm: Algorithm | None = None
    audience: Text | None = None
    client_secret: SecretReference | None = None
    scope: Annotated[str, Field(pattern=r"^[\x20-\x7e]+$")] | None = None
    tls: TlsSettings | None = None

    @field_validator("token_url")
    @classmethod
    def _is_safe(cls, given: str) -> str:
        given = _web_address(given)
        parts = urlsplit(given)
        if parts.scheme == "http" and not is_own_host(parts.hostname or ""):
            message = "must be https: a token is as good as the data"
            raise ValueError(message)
        return given

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        signs = self.method == "private_key_jwt"
        needed = ("key", "algorithm") if signs else ("client_secret",)
        signing = ("key", "kid", "algorithm", "audience")
        unwanted = ("client_secret",) if signs else signing
        if any(getattr(self, name) is None for name in needed) or any(
            getattr(self, name) is not None for name in unwanted
        ):
            message = (
                f"by {self.method} needs {' and '.join(needed)}, "
                f"and no {' or '.join(unwanted)}"
            )
            raise ValueError(message)
        if self.tls is not None and self.token_url.startswith("http:"):
            message = "holds [auth.tls], which has no meaning over http. Use https"
            raise ValueError(message)
        return self


AuthSettings = Annotated[
    BearerSettings | BasicSettings | OAuth2Settings, Field(discriminator="kind")
]


def _types_of(settled: dict[str, Any]) -> tuple[str, ...]:
    """What can be asked for, by the version and the way that are settled."""
    if settled.get("ask_by") == "structured-record":
        return RECORD_TYPES
    return TYPES_OF[settled.get("version", "R4")]


class FhirSettings(Settings):
    """Every key but kind and base_url has a default."""

    kind: Literal["fhir"]
    base_url: Text
    identifiers: IdentifierSettings = IdentifierSettings()
    version: Version = "R4"
    ask_by: Literal["search", "structured-record"] = "search"
    types: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        default_factory=_types_of
    )
    page_size: Annotated[int, Field(ge=1, le=1000)] = 200
    search: Literal["post", "post-only"] = "post"
    everything: Literal["auto", "always", "never"] = "auto"
    auth: AuthSettings | None = None
    tls: TlsSettings | None = None
    loopback: bool = False  # whether its name may lead to this machine
    zone: str = "Europe/London"
    ods_systems: Annotated[tuple[Text, ...], Field(min_length=1)] = tuple(
        sorted(ODS_SYSTEMS)
    )
    labels: tuple[Text, ...] = ()

    @field_validator("base_url")
    @classmethod
    def _is_a_base(cls, given: str) -> str:
        given = _web_address(given)
        if urlsplit(given).query or "?" in given:
            message = "may hold neither a query, a fragment nor credentials"
            raise ValueError(message)
        return given.rstrip("/")

    @model_validator(mode="after")
    def _has_tls(self) -> Self:
        if self.tls is not None and self.base_url.startswith("http:"):
            message = "holds [tls], which has no meaning over http. Use https"
            raise ValueError(message)
        return self

    @field_validator("types")
    @classmethod
    def _are_known(
        cls, given: tuple[str, ...], info: ValidationInfo
    ) -> tuple[str, ...]:
        known = _types_of(info.data)
        for name in given:
            if name not in known:
                message = f"holds an unknown type. Use any of {', '.join(known)}"
                raise ValueError(message)
        if len(set(given)) < len(given):
            message = "names a type twice"
            raise ValueError(message)
        return given

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.ask_by == "search":
            return self
        if self.version != "STU3":
            message = 'asks by structured record, which needs version = "STU3"'
            raise ValueError(message)
        if set(self.identifiers.systems) - nhs_number.SYSTEMS:
            message = "asks by structured record, which finds by NHS number alone"
            raise ValueError(message)
        return self

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
