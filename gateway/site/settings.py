"""site.toml, and the environment over it: checked at start, then frozen."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    StrictStr,
    StringConstraints,
    model_validator,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from adapters import source_file
from adapters.addresses import is_own_host
from adapters.vocabulary import SECTORS
from gateway.configured import Configured, load
from gateway.settings import (
    Audit,
    Count,
    FilePath,
    FlagRegistration,
    Http,
    Limits,
    Ods,
    Seconds,
    SecretReference,
    Store,
    Text,
    WebAddress,
)
from policies.vocabulary import FLAGS

Id = Annotated[StrictStr, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]{0,63}$")]
_MUST_STATE: Final = ("legally-restricted", "sensitive-record")


def _is_base(url: str) -> str:
    parts = urlsplit(url)
    if parts.query or "#" in url:
        message = "may hold no query and no fragment. Correct it"
        raise ValueError(message)
    if parts.scheme != "https" and not is_own_host(parts.hostname or ""):
        message = "is not https, which only a gateway on this machine need not be"
        raise ValueError(message)
    return url.rstrip("/")


class Tls(source_file.Settings):
    """Our certificate, its key, and the authorities whose callers we listen to."""

    certificate: FilePath
    key: FilePath
    ca: FilePath


class SiteHttp(Http):
    """Where a site listens, and how much of a question it will read."""

    tls: Tls | None = None


class GatewayPart(source_file.Settings):
    """The one gateway that may ask: its id, and the keys it showed at enrolment."""

    id: Id
    keys: FilePath
    leeway_s: Annotated[float, Field(ge=0, le=60)] = 5.0  # between the two clocks


class RelayPart(source_file.Settings):
    """Where a site that opens no port fetches its questions; see docs/sites.md."""

    url: Annotated[WebAddress, AfterValidator(_is_base)]
    ca: FilePath | None = None  # whose word is taken for the gateway; this machine's
    polls: Annotated[int, Field(ge=1, le=16)] = 4  # open at once
    poll_s: Seconds = 25.0  # how long the gateway lets one wait


class Rules(source_file.Settings):
    """Where the organisation's own rules lie."""

    documents: tuple[Text, ...] = ("policy/*.yaml",)


class Bounds(source_file.Settings):
    """How many questions are answered at once."""

    questions: Count = 64


class SiteSource(source_file.Settings):
    """One system of the organisation."""

    id: Id
    sector: StrictStr
    file: FilePath
    labels: Literal["labelled", "unlabelled"]
    flags: Mapping[StrictStr, FlagRegistration]
    state: FilePath  # the adapter's own index

    @model_validator(mode="before")
    @classmethod
    def _own_state(cls, table: object) -> object:
        if isinstance(table, dict) and "id" in table:
            return {"state": f"state/{table['id']}", **table}
        return table


class SiteSettings(Configured):
    """The whole configuration of a site. Paths are absolute or under `folder`."""

    environment: Literal["development", "production"]
    id: Id
    organisation: Ods
    name: Text
    keys: SecretReference  # its private keys, a document of JWKs
    http: SiteHttp = SiteHttp()
    store: Store
    audit: Audit
    limits: Limits = Limits()
    bounds: Bounds = Bounds()
    policy: Rules = Rules()
    gateway: GatewayPart
    relay: RelayPart | None = None
    sources: Annotated[tuple[SiteSource, ...], Field(min_length=1)]

    def policy_files(self) -> tuple[Path, ...]:
        """The files that `policy.documents` names now, sorted."""
        found = {
            path for glob in self.policy.documents for path in self.folder.glob(glob)
        }
        return tuple(sorted(found))

    def database_url(self) -> URL:
        """The store's URL: a relative SQLite path made absolute, password in."""
        return self.store_url(self.store.url, self.store.password)


def load_site(path: Path, environ: Mapping[str, str]) -> SiteSettings:
    """The configuration of a site, and the environment over it.

    ConfigurationError for the first thing wrong: file, line, key, remedy.
    """
    path = path.absolute()
    settings = load(path, environ, SiteSettings)
    _Checks(settings, path).all()
    return settings


class _Checks:
    """What only the whole configuration can show."""

    def __init__(self, settings: SiteSettings, path: Path) -> None:
        self.settings = settings
        self.path = path

    def all(self) -> None:
        self.listening()
        self.store()
        ids = [each.id.casefold() for each in self.settings.sources]
        for position, source in enumerate(self.settings.sources):
            if ids.index(source.id.casefold()) != position:
                self.refuse("is there twice. Rename one.", "sources", position, "id")
            self.source(position, source)

    def refuse(self, message: str, *keys: str | int) -> None:
        raise source_file.wrong(self.path, keys, message)

    def listening(self) -> None:
        http = self.settings.http
        if self.settings.relay is not None:
            if not is_own_host(http.host) or http.tls is not None:
                self.refuse(
                    "opens a port to others, which a site that fetches its questions "
                    "need not. Leave host and tls out.",
                    "http",
                )
            return
        is_alone = is_own_host(http.host) and self.settings.environment != "production"
        if http.tls is None and not is_alone:
            self.refuse(
                "is missing: without it only this machine may ask, in development. "
                "Add [http.tls].",
                *("http", "tls"),
            )

    def store(self) -> None:
        try:
            url = make_url(self.settings.store.url)
        except ArgumentError:
            url = URL.create("unreadable")
        known = {"sqlite+aiosqlite", "postgresql+asyncpg"}
        is_file = url.get_backend_name() == "sqlite"
        if url.drivername not in known or (
            is_file and url.database in {None, "", ":memory:"}
        ):
            self.refuse(
                "is not a store that lasts. Use sqlite+aiosqlite:///site.db.",
                *("store", "url"),
            )
        if url.password is not None:
            self.refuse(
                'holds a password. Take it out and set password = "env:NAME".',
                *("store", "url"),
            )

    def source(self, position: int, source: SiteSource) -> None:
        if source.sector not in SECTORS:
            self.refuse(
                f"is not a sector. Use one of {', '.join(sorted(SECTORS))}.",
                *("sources", position, "sector"),
            )
        self.asked(position, source_file.load(source.file))
        for flag in _MUST_STATE:
            if flag not in source.flags:
                self.refuse(
                    f"must state {flag}: states, prefiltered or none. Add it.",
                    *("sources", position, "flags"),
                )
        for flag in source.flags:
            if flag not in FLAGS and not flag.startswith("consent:"):
                self.refuse(
                    f"is not a flag. Use one of {', '.join(sorted(FLAGS))}.",
                    *("sources", position, "flags", flag),
                )

    def asked(self, position: int, tables: Mapping[str, object]) -> None:
        place = ("sources", position, "file")
        if tables.get("kind") == "site":
            self.refuse(
                "is of another site, which answers a gateway alone. Name a system.",
                *place,
            )
        plain = (str(value).startswith("http://") for value in tables.values())
        is_production = self.settings.environment == "production"
        if is_production and tables.get("kind") == "fhir" and any(plain):
            self.refuse(
                "asks over plain http, refused in production. Use https.", *place
            )
