"""The `[arrival]` table of a source file: by which way its files come."""

import re
from fnmatch import fnmatchcase
from importlib.util import find_spec
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    field_validator,
    model_validator,
)

from adapters.addresses import is_never_asked, is_own_host
from adapters.source_file import SecretReference, Settings

_FINGERPRINT: Final = re.compile(r"SHA256:[A-Za-z0-9+/]{43}=?")
_ARCHIVES: Final = (".zip", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".tar")


def _is_pattern(given: str) -> str:
    if "/" in given or "\\" in given or given in {".", ".."}:
        message = "names files in the inbox itself; take the path out"
        raise ValueError(message)
    if given.lower().endswith(_ARCHIVES):
        message = "names archives, which are not opened. Have them sent unpacked"
        raise ValueError(message)
    return given


def _is_host(given: str) -> str:
    if is_never_asked(given) or "/" in given or "@" in given:
        message = "is no host that has an inbox. Write its name alone"
        raise ValueError(message)
    return given


def _is_fingerprint(given: str) -> str:
    if _FINGERPRINT.fullmatch(given) is None:
        message = (
            "is no fingerprint of a host key. Ask the server's administrator for it: "
            'ssh-keygen -lf shows it as "SHA256:…"'
        )
        raise ValueError(message)
    return given.rstrip("=")


Text = Annotated[str, Field(min_length=1)]
Pattern = Annotated[str, Field(min_length=1), AfterValidator(_is_pattern)]
Fingerprint = Annotated[str, AfterValidator(_is_fingerprint)]
_Bytes = Annotated[int, Field(ge=1, le=1 << 36)]


class Directory(Settings):
    """Somebody else puts the files into the source's directory.

    A change is seen at once where the file system tells of it, and by looking
    every `poll_s` seconds where it does not: on a network share, for example.
    """

    kind: Literal["directory"] = "directory"
    poll_s: Annotated[float, Field(ge=0.1, le=3600)] = 30.0


class Inbox(Settings):
    """What fetching from an inbox elsewhere has in common, however it is spoken to.

    `take` are the patterns of names to take; empty means those the source reads.
    """

    take: tuple[Pattern, ...] = ()
    file_bytes: _Bytes = 2 << 30
    visit_files: Annotated[int, Field(ge=1, le=10_000)] = 1000
    visit_s: Annotated[float, Field(ge=1, le=86_400)] = 3600.0
    silent_s: Annotated[float, Field(ge=0.1, le=600)] = 20.0  # no byte for so long
    poll_s: Annotated[float, Field(ge=0.1, le=3600)] = 30.0

    def takes(self, name: str) -> bool:
        """Whether a name fits one of the patterns."""
        return any(fnmatchcase(name, pattern) for pattern in self.take)


class Sftp(Inbox):
    """A directory on an OpenSSH server, by a key, its host key pinned."""

    kind: Literal["sftp"]
    host: Annotated[Text, AfterValidator(_is_host)]
    port: Annotated[int, Field(ge=1, le=65_535)] = 22
    username: Text
    private_key: SecretReference
    host_keys: Annotated[tuple[Fingerprint, ...], Field(min_length=1)]
    directory: Text = "."
    every_s: Annotated[float, Field(ge=1, le=86_400)] = 60.0
    settle_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    marker: Annotated[str, Field(min_length=1, max_length=32)] | None = None
    manifest: Pattern | None = None
    after: Literal["leave", "archive", "delete"] = "leave"
    archive: Text | None = None

    def is_manifest(self, name: str) -> bool:
        """Whether a file of this name says what others are."""
        return self.manifest is not None and fnmatchcase(name, self.manifest)

    @field_validator("marker")
    @classmethod
    def _ends_a_name(cls, marker: str | None) -> str | None:
        if marker is not None and ("/" in marker or "\\" in marker):
            message = 'is what a name ends with, such as ".done"; take the path out'
            raise ValueError(message)
        return marker

    @model_validator(mode="after")
    def _knows_where_to(self) -> Self:
        if (self.after == "archive") != (self.archive is not None):
            message = (
                'after = "archive" needs archive = "…", the folder on the server '
                "to move what was taken to; without it, leave archive out"
            )
            raise ValueError(message)
        return self


class Mesh(Inbox):
    """A mailbox of the NHS Message Exchange for Social Care and Health."""

    kind: Literal["mesh"]
    url: Text
    mailbox: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,64}$")]
    password: SecretReference
    shared_key: SecretReference
    certificate: SecretReference | None = None
    key: SecretReference | None = None
    ca: SecretReference | None = None  # else NHS England's, which come with the client
    workflows: Annotated[frozenset[Text], Field(min_length=1)]
    names: Literal["message", "sender"] | None = None  # None: as `taking` tells
    every_s: Annotated[float, Field(ge=1, le=86_400)] = 300.0

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, given: str) -> str:
        parts = urlsplit(given)
        host = parts.hostname or ""
        schemes = {"https", "http"} if is_own_host(host) else {"https"}
        if not host or is_never_asked(host) or parts.scheme not in schemes:
            message = "is no address of MESH. Write https://…"
            raise ValueError(message)
        if parts.query or parts.fragment or parts.username:
            message = "is more than an address. Take out what follows or precedes it"
            raise ValueError(message)
        return given.rstrip("/")

    @model_validator(mode="after")
    def _shows_who_asks(self) -> Self:
        pair = (self.certificate, self.key)
        if None in pair and (any(pair) or self.url.startswith("https:")):
            message = (
                "MESH asks for a certificate: give certificate and key, each by "
                "reference"
            )
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _can_be_spoken_to(self) -> Self:
        if find_spec("mesh_client") is None:
            message = (
                "of kind mesh needs the extra of that name: "
                "pip install 'throughline[mesh]'"
            )
            raise ValueError(message)
        return self


def _by_default_the_directory(given: object) -> object:
    if isinstance(given, dict) and "kind" not in given:
        return {"kind": "directory", **given}
    return given


ArrivalSettings = Annotated[
    Annotated[Directory | Sftp | Mesh, Field(discriminator="kind")],
    BeforeValidator(_by_default_the_directory),
]


def taking(
    settings: ArrivalSettings,
    pattern: str,
    *,
    manifest: str | None = None,
    named: bool = False,
) -> ArrivalSettings:
    """The same way, told what its source reads, where the file itself says nothing.

    `named`: the source reads more from a file's name than that the name fits, so that
    it must be the sender's own; that is so wherever there are manifests.
    """
    if isinstance(settings, Directory):
        return settings
    told: dict[str, object] = {}
    if not settings.take:
        told["take"] = (pattern,) if manifest is None else (pattern, manifest)
    if isinstance(settings, Sftp) and settings.manifest is None:
        told["manifest"] = manifest
    if isinstance(settings, Mesh) and settings.names is None:
        told["names"] = "message" if manifest is None and not named else "sender"
    return settings.model_copy(update=told)
