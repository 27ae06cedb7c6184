"""The source file of a site: where it is, who it is, who we are, what it tells of."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from adapters import nhs_number
from adapters.addresses import is_never_asked, is_own_host
from adapters.source_file import SecretReference, Settings
from adapters.vocabulary import CATEGORIES

Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=200)]


def _web_address(given: str) -> str:
    """https, or http to this very machine; no query, no user."""
    try:
        parts = urlsplit(given)
        has_port = parts.port != 0  # reading it checks it
    except ValueError:
        parts, has_port = urlsplit(""), False
    host = parts.hostname or ""
    is_web = parts.scheme == "https" or (parts.scheme == "http" and is_own_host(host))
    if not is_web or not host or not has_port:
        message = "is not an https address"
        raise ValueError(message)
    if parts.query or "#" in given or "@" in parts.netloc or is_never_asked(host):
        message = "may hold no query, fragment or credentials, nor be link-local"
        raise ValueError(message)
    if re.search(r"[\s\x00-\x1f]", given):
        message = "holds a space or a control character"
        raise ValueError(message)
    return given.rstrip("/")


def _category(code: str) -> str:
    if code not in CATEGORIES:
        message = f"use one of {', '.join(sorted(CATEGORIES))}"
        raise ValueError(message)
    return code


class SitePart(Settings):
    """Whose site it is, by the id and the keys that it showed when it was enrolled."""

    id: Code
    keys: Path  # its public keys, beside the source file; or "enrolled" at the gateway
    source: Code | None = None  # as the site itself names it; else as it is named here


class GatewayPart(Settings):
    """Who we are to the site, and where our private keys are."""

    id: Code
    keys: SecretReference


class TlsPart(Settings):
    """Our certificate to the site, and whose word we take for who the site is."""

    certificate: SecretReference
    key: SecretReference
    ca: Path


class ProfilePart(Settings):
    """What the site's source can be asked: `throughline site source` writes it."""

    adapter: Annotated[str, Field(pattern=r"^[\w.-]{1,64}/[\w.-]{1,32}$")]
    mapping: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None = None
    held: Annotated[
        frozenset[Annotated[str, AfterValidator(_category)]], Field(min_length=1)
    ]
    identifier_systems: Annotated[frozenset[Text], Field(min_length=1)] = frozenset(
        {nhs_number.SYSTEM}
    )
    key_system: Text | None = None
    whole_person: bool = False


class SiteFile(Settings):
    """A whole source file of kind `site`."""

    kind: Literal["site"]
    mode: Literal["direct", "outbound"] = "direct"  # outbound: it fetches from us
    url: Annotated[str, AfterValidator(_web_address)] | None = None
    loopback: bool = False  # its name leads to this machine
    leeway_s: Annotated[float, Field(ge=0, le=60)] = 5.0  # between two clocks
    site: SitePart
    gateway: GatewayPart
    tls: TlsPart | None = None
    profile: ProfilePart

    @model_validator(mode="after")
    def _is_private(self) -> Self:
        if self.url is None:
            if self.mode == "direct":
                message = 'needs url, or mode = "outbound"'
                raise ValueError(message)
            if self.tls is not None or self.loopback:
                message = "of mode outbound has no [tls] and no loopback"
                raise ValueError(message)
            return self
        if self.mode == "outbound":
            message = "of mode outbound has no url: the site comes to us"
            raise ValueError(message)
        if (self.tls is None) == self.url.startswith("https:"):
            message = "over https needs [tls], and over http may have none"
            raise ValueError(message)
        return self
