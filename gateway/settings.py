"""throughline.toml, and the environment over it: checked at start, then frozen.

`THROUGHLINE_LIMITS__SOURCE_S=2` stands over `source_s` of `[limits]`. Secrets are
never settings: a setting refers to one (`env:NAME`, `file:path`).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StrictBool,
    StrictStr,
    StringConstraints,
    ValidationInfo,
    model_validator,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from adapters import source_file, vocabulary
from adapters.addresses import is_own_host
from gateway.configured import Configured, load
from gateway.linking import Linkage
from policies.vocabulary import FLAGS, PURPOSES, ROLES

# As what a person may sign for an organisation, beside being its approver.
CAPACITIES: Final = ("caldicott",)


def _not_a_bool(value: object) -> object:
    if isinstance(value, bool):
        message = "should be a number"
        raise ValueError(message)  # noqa: TRY004 - pydantic turns ValueError alone into an error with a place
    return value


def _reference(text: str) -> str:
    if re.fullmatch(r"env:\w+|file:.+", text) is None:
        message = 'refer to the secret, never write it: "env:NAME" or "file:path"'
        raise ValueError(message)
    return text


def _web_address(text: str) -> str:
    message = "is not an http or https address of a host, without a user. Correct it"
    try:
        parts = urlsplit(text)
        has_port = parts.port != 0  # reading it checks it
    except ValueError:
        raise ValueError(message) from None
    is_web = parts.scheme in {"http", "https"} and bool(parts.hostname) and has_port
    if not is_web or "@" in parts.netloc or re.search(r"[\s\x00-\x1f]", text):
        raise ValueError(message)
    return text


def _beside(path: Path, info: ValidationInfo) -> Path:
    folder: Path = (info.context or {}).get("folder", Path())
    return folder / path


def _one_of(known: frozenset[str]) -> AfterValidator:
    def check(code: str) -> str:
        if code not in known:
            message = f"use one of {', '.join(sorted(known))}"
            raise ValueError(message)
        return code

    return AfterValidator(check)


_Number = BeforeValidator(_not_a_bool)
Seconds = Annotated[float, _Number, Field(gt=0, le=7 * 86_400, allow_inf_nan=False)]
Count = Annotated[int, _Number, Field(ge=1, le=2**31)]
Span = Annotated[int, _Number, Field(ge=1, le=36_500)]  # days or hours
Text = Annotated[StrictStr, StringConstraints(min_length=1, max_length=200)]
Ods = Annotated[StrictStr, StringConstraints(pattern=r"^[A-Z0-9]{3,12}$")]
SecretReference = Annotated[StrictStr, AfterValidator(_reference)]
FilePath = Annotated[Path, AfterValidator(_beside)]
WebAddress = Annotated[
    StrictStr, StringConstraints(max_length=500), AfterValidator(_web_address)
]
Algorithm = Literal["ES256", "ES384", "PS256", "RS256", "Ed25519"]
FlagRegistration = Literal["states", "prefiltered", "none"]


class Http(source_file.Settings):
    """Where the gateway listens, and how much of a request it will read."""

    host: Text = "127.0.0.1"
    port: Annotated[int, _Number, Field(ge=0, le=65_535)] = 8000
    body_bytes: Count = 64 * 1024
    admin_body_bytes: Count = 1024 * 1024
    body_s: Seconds = 10.0


class Store(source_file.Settings):
    """The database of policy, registry and audit; never of patients."""

    url: Text
    password: SecretReference | None = None


class Audit(source_file.Settings):
    """How the audit trail is keyed and bounded."""

    key: SecretReference
    key_id: Annotated[StrictStr, StringConstraints(pattern=r"^[\w.-]{1,32}$")]
    write_s: Seconds = 1.0
    batch: Annotated[int, _Number, Field(ge=1, le=10_000)] = 256
    entry_bytes: Annotated[int, _Number, Field(ge=2048, le=2**20)] = 8 * 1024
    min_free: Annotated[int, _Number, Field(ge=0)] = 256 * 1024 * 1024


class Limits(source_file.Settings):
    """Bounds on asking sources; nothing means unlimited."""

    connect_s: Seconds = 1.0
    source_s: Seconds = 4.0
    journey_s: Seconds = 5.0
    page_bytes: Count = 8 * 1024 * 1024
    source_bytes: Count = 32 * 1024 * 1024
    pages: Count = 50
    records: Count = 20_000
    json_depth: Annotated[int, _Number, Field(ge=1, le=256)] = 64
    csv_field_bytes: Count = 128 * 1024
    per_source: Count = 8


class Admission(source_file.Settings):
    """How many journeys are asked at once, how many wait for that, and how long."""

    journeys: Count = 64
    queue: Annotated[int, _Number, Field(ge=0, le=100_000)] = 128
    queue_s: Seconds = 2.0


class Auth(source_file.Settings):
    """Bounds on tokens and on the keys that verify them."""

    token_bytes: Count = 8 * 1024
    leeway_s: Annotated[float, _Number, Field(ge=0, le=300)] = 30.0
    lifetime_s: Seconds = 3600.0
    jwks_fresh_s: Seconds = 600.0
    jwks_stale_s: Seconds = 86_400.0
    jwks_refetch_s: Seconds = 30.0
    revoked_kids: frozenset[Text] = frozenset()


class Policy(source_file.Settings):
    """Where agreements, local rules and signatures lie: in files, or in the store."""

    source: Literal["files", "store"] = "files"
    documents: tuple[Text, ...] = ("policy/*.yaml",)
    poll_s: Seconds = 2.0
    max_age_s: Seconds = 300.0
    shadow: Literal["off", "submitted"] = "off"


class Access(source_file.Settings):
    """How many people a caller may ask about in an hour."""

    without_relationship: Count = 5  # on the caller's own word, or through the glass


class Evidence(source_file.Settings):
    """How long the asker's own records show a relationship with a person."""

    relationships: frozenset[
        Literal["active-encounter", "registered", "referral", "caseload"]
    ] = frozenset({"active-encounter", "registered", "referral", "caseload"})
    share: Annotated[float, _Number, Field(gt=0, le=0.9, allow_inf_nan=False)] = 0.4
    encounter_hours: Span = 72  # after an encounter's end
    stay_days: Span = 365  # the longest that a stay never closed is believed
    open_hours: Span = 72  # after its source's own as-of time
    referral_days: Span = 365  # an open referral's life
    caseload_days: Span = 90  # after a contact of those who keep a caseload
    people_in_vain: Count = 30  # in an hour, of one user


class Relay(source_file.Settings):
    """Bounds on sites that fetch their questions, each of one site unless it says so.

    `address` and `key`: where the other gateways of this store find this one, and the
    secret that they share.
    """

    poll_s: Seconds = 25.0
    polls: Count = 16
    questions: Count = 64
    pickup_s: Seconds = 1.0  # till a question is fetched
    answer_bytes: Count = 32 * 1024 * 1024
    answer_s: Seconds = 10.0
    answers: Count = 16  # read or held for another gateway at once, of all sites
    address: WebAddress | None = None
    key: SecretReference | None = None


class BreakGlass(source_file.Settings):
    """The key that seals break-glass tokens, and the reasons people give."""

    key: SecretReference


class OrganisationSettings(source_file.Settings):
    """A body that owns data or asks for it, and where it is told of what was done."""

    ods: Ods
    name: Text
    privacy_officer: WebAddress | None = None
    data_owner: WebAddress | None = None


class SourceSettings(source_file.Settings):
    """One system of an organisation that can be asked."""

    id: Annotated[StrictStr, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]{0,63}$")]
    organisation: Ods
    sector: Annotated[StrictStr, _one_of(vocabulary.SECTORS)]
    file: FilePath
    fresh_s: Count
    labels: Literal["labelled", "unlabelled"]
    flags: Mapping[StrictStr, FlagRegistration]
    state: FilePath  # a directory at the organisation: the adapter's own index
    suspend_after: Count = 3  # wrong people in 24 hours, till its administrator clears
    traces: StrictBool = True  # believe what it says of merged and superseded numbers
    contact: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _own_state(cls, table: object) -> object:
        if isinstance(table, dict) and "id" in table:
            return {"state": f"state/{table['id']}", **table}
        return table


class IssuerSettings(source_file.Settings):
    """Who may say who is asking."""

    issuer: Text
    audience: Text
    algorithms: Annotated[tuple[Algorithm, ...], Field(min_length=1)]
    class_: Literal["user", "system"] = Field(alias="class")
    jwks: FilePath | None = None
    jwks_uri: Text | None = None
    typ: tuple[Text, ...] = ("JWT", "at+jwt")
    demo: bool = False
    signing_key: SecretReference | None = None


class ClientSettings(source_file.Settings):
    """What one application of an issuer may do; whatever is not here, it may not."""

    issuer: Text
    client_id: Text
    organisations: Annotated[frozenset[Ods], Field(min_length=1)]
    roles: frozenset[Annotated[StrictStr, _one_of(frozenset(ROLES))]]
    purposes: frozenset[Annotated[StrictStr, _one_of(frozenset(PURPOSES))]]
    scopes: frozenset[Text]
    capacities: frozenset[Annotated[StrictStr, _one_of(frozenset(CAPACITIES))]] = (
        frozenset()
    )


class Settings(Configured):
    """The whole configuration. Paths are absolute or under `folder`."""

    environment: Literal["development", "production"]
    http: Http = Http()
    store: Store
    audit: Audit
    limits: Limits = Limits()
    admission: Admission = Admission()
    auth: Auth = Auth()
    policy: Policy = Policy()
    access: Access = Access()
    evidence: Evidence = Evidence()
    linkage: Linkage = Linkage()
    relay: Relay = Relay()
    break_glass: BreakGlass | None = None
    organisations: Annotated[tuple[OrganisationSettings, ...], Field(min_length=1)]
    sources: tuple[SourceSettings, ...] = ()
    issuers: Annotated[tuple[IssuerSettings, ...], Field(min_length=1)]
    clients: tuple[ClientSettings, ...] = ()

    def policy_files(self) -> tuple[Path, ...]:
        """The files that `policy.documents` names now, sorted."""
        found = {
            path for glob in self.policy.documents for path in self.folder.glob(glob)
        }
        return tuple(sorted(found))

    def database_url(self) -> URL:
        """The store's URL: a relative SQLite path made absolute, password in."""
        return self.store_url(self.store.url, self.store.password)


def load_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """The configuration of a file and the environment over it.

    ConfigurationError for the first thing wrong: file, line, key, remedy. What
    came from the environment is named by its variable.
    """
    path = path.absolute()
    settings = load(path, environ, Settings)
    _Checks(settings, path).all()
    return settings


class _Checks:
    """What only the whole configuration can show."""

    def __init__(self, settings: Settings, path: Path) -> None:
        self.settings = settings
        self.path = path

    def all(self) -> None:
        self.unique()
        self.known_organisations()
        self.store()
        self.policy()
        self.relay()
        for position, source in enumerate(self.settings.sources):
            self.flags(position, source)
        for position, issuer in enumerate(self.settings.issuers):
            self.issuer(position, issuer)
        self.clients()
        if self.settings.environment == "production":
            self.production()

    def refuse(self, message: str, *keys: str | int) -> None:
        raise source_file.wrong(self.path, keys, message)

    def unique(self) -> None:
        settings = self.settings
        lists: tuple[tuple[str, str, list[object]], ...] = (
            ("organisations", "ods", [one.ods for one in settings.organisations]),
            ("sources", "id", [one.id.casefold() for one in settings.sources]),
            ("issuers", "issuer", [one.issuer for one in settings.issuers]),
            (
                "clients",
                "client_id",
                [(one.issuer, one.client_id) for one in settings.clients],
            ),
        )
        for table, key, values in lists:
            for position, value in enumerate(values):
                if value in values[:position]:
                    self.refuse(
                        "is there twice. Rename or remove one.", table, position, key
                    )

    def known_organisations(self) -> None:
        known = {one.ods for one in self.settings.organisations}
        message = "names no [[organisations]] of this file. Add it, or correct it."
        for position, source in enumerate(self.settings.sources):
            if source.organisation not in known:
                self.refuse(message, "sources", position, "organisation")
        for position, client in enumerate(self.settings.clients):
            if not client.organisations <= known:
                self.refuse(message, "clients", position, "organisations")

    def store(self) -> None:
        try:
            url = make_url(self.settings.store.url)
        except ArgumentError:
            url = URL.create("unreadable")
        if url.drivername not in {"sqlite+aiosqlite", "postgresql+asyncpg"}:
            self.refuse(
                "is not a store. Use sqlite+aiosqlite:/// or postgresql+asyncpg://.",
                *("store", "url"),
            )
        if url.password is not None:
            self.refuse(
                'holds a password. Take it out and set password = "env:NAME".',
                *("store", "url"),
            )
        if url.get_backend_name() == "sqlite" and url.database in {
            None,
            "",
            ":memory:",
        }:
            self.refuse(
                "names no file; an audit trail must last. Name one.", "store", "url"
            )

    def policy(self) -> None:
        policy = self.settings.policy
        if policy.shadow != "off" and policy.source == "files":
            self.refuse(
                'has no meaning in files: nothing waits there. Set source = "store".',
                *("policy", "shadow"),
            )

    def relay(self) -> None:
        relay = self.settings.relay
        if (relay.address is None) != (relay.key is None):
            missing = "address" if relay.address is None else "key"
            self.refuse(
                "is missing: gateways find and know each other by both. Add it.",
                *("relay", missing),
            )

    def flags(self, position: int, source: SourceSettings) -> None:
        for flag in ("legally-restricted", "sensitive-record"):
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

    def issuer(self, position: int, issuer: IssuerSettings) -> None:
        where = ("issuers", position)
        if (issuer.jwks is None) == (issuer.jwks_uri is None):
            self.refuse("needs one of jwks and jwks_uri. Keep one.", *where)
        if issuer.signing_key is not None and not issuer.demo:
            self.refuse(
                "is for the demo issuer alone. Remove it.", *where, "signing_key"
            )

    def clients(self) -> None:
        known = {one.issuer for one in self.settings.issuers}
        for position, client in enumerate(self.settings.clients):
            if client.issuer not in known:
                self.refuse(
                    "names no [[issuers]] of this file. Correct it.",
                    *("clients", position, "issuer"),
                )

    def production(self) -> None:
        for position, issuer in enumerate(self.settings.issuers):
            self.production_issuer(position, issuer)
        for position, source in enumerate(self.settings.sources):
            self.production_source(position, source)
        for position, organisation in enumerate(self.settings.organisations):
            for key in ("privacy_officer", "data_owner"):
                if (getattr(organisation, key) or "https").startswith("http:"):
                    self.refuse(
                        "must be https in production. Correct it.",
                        *("organisations", position, key),
                    )
        self.production_secrets()
        address = urlsplit(self.settings.relay.address or "https:")
        if address.scheme == "http" and not is_own_host(address.hostname or ""):
            self.refuse("must be https in production. Correct it.", "relay", "address")

    def production_issuer(self, position: int, issuer: IssuerSettings) -> None:
        where = ("issuers", position)
        if issuer.demo:
            self.refuse(
                "the demo issuer, whose tokens may assert a relationship, is "
                "refused in production. Remove it.",
                *(*where, "demo"),
            )
        if not issuer.issuer.startswith("https://"):
            self.refuse("must be https in production. Correct it.", *where, "issuer")
        if issuer.jwks_uri and not issuer.jwks_uri.startswith("https://"):
            self.refuse("must be https in production. Correct it.", *where, "jwks_uri")

    def production_source(self, position: int, source: SourceSettings) -> None:
        tables = source_file.load(source.file)
        plain = (str(value).startswith("http://") for value in tables.values())
        if tables.get("kind") == "fhir" and any(plain):
            self.refuse(
                "asks over plain http, refused in production. Use https.",
                *("sources", position, "file"),
            )

    def production_secrets(self) -> None:
        settings = self.settings
        kept = {"audit": settings.audit.key}
        if settings.break_glass is not None:
            kept["break_glass"] = settings.break_glass.key
        if settings.relay.key is not None:
            kept["relay"] = settings.relay.key
        for table, reference in kept.items():
            if len(set(settings.secret(reference))) < 8:
                # 32 random bytes in hex never show so few digits
                self.refuse(
                    "is a default, not a random key. Make a new one.", table, "key"
                )
        if settings.store.password is not None:
            settings.secret(settings.store.password)
