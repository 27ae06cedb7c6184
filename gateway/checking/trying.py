"""One person's journey from one source alone, by the whole path of a journey.

The trail has the intent before anything is asked and the outcome before anything is
shown. Policy is not the gateway's but one made for this: the organisation that owns
the source asks itself. What the registration withholds is withheld here too.
"""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

import msgspec

from adapters.contract import Identifiers
from adapters.errors import ConfigurationError
from adapters.http import AiohttpTransport
from gateway.access.requester import Relationship, Requester
from gateway.audit.log import AuditUnavailable
from gateway.audit.trail import Trail, open_trail
from gateway.checking import of_nobody
from gateway.checking.asking import Asker, Bounds
from gateway.checking.flags import flags_of
from gateway.checking.origins import Origin, origins_of
from gateway.checking.registered import Registered
from gateway.checking.report import Finding
from gateway.clock import Clock
from gateway.journey.ask import Lanes
from gateway.journey.inquiry import House, inquire
from gateway.journey.journey import as_json
from gateway.journey.question import Question, Require
from gateway.problems import RequestError, problem_of
from gateway.service import VERSION
from gateway.sources import Means, Source, open_registered
from policies import vocabulary
from policies.clauses import Agreement, Signature
from policies.compile import PolicySet, compile_set
from policies.documents import content_hash, parse_document

_PURPOSE: Final = "direct-care"
_ROLE: Final = "doctor"
_AGREEMENT: Final = "TRIAL"
_EVENTS: Final = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Who is asked for, by whom, and how long the first answer may take."""

    clock: Clock
    operator: str  # a code, as the audit trail names them
    first_s: float
    number: str = field(repr=False)
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The journey as the API would tell it, or the problem; and where fields stand."""

    journey: Mapping[str, Any] | None = field(default=None, repr=False)
    problem: Mapping[str, Any] | None = None
    not_reached: Finding | None = None
    origins: tuple[Origin, ...] = ()


async def try_source(registered: Registered, trial: Trial) -> Tried:
    """What the source tells of one person.

    ConfigurationError if its file, or the trail's key, is wrong or missing.
    """
    state = registered.source.state
    state.mkdir(parents=True, exist_ok=True)
    own = tempfile.mkdtemp(prefix="try-", dir=state)
    transport = AiohttpTransport()
    try:
        source = open_registered(
            registered.settings,
            registered.keeping_in(type(state)(own)),
            Means(transport=transport, now=trial.clock.now),
        )
        try:
            return await _tried(registered, source, trial)
        finally:
            await source.adapter.aclose()
    finally:
        await transport.aclose()
        shutil.rmtree(own, ignore_errors=True)


async def _tried(registered: Registered, source: Source, trial: Trial) -> Tried:
    unsaid = [each for each in flags_of(registered) if each.result == "wrong"]
    missed = unsaid[0] if unsaid else await _warmed(registered, source, trial)
    if missed is not None:
        return Tried(not_reached=missed)
    trail = open_trail(registered.settings, trial.clock)
    try:
        await trail.start(VERSION)
        journey = await inquire(
            _house(registered, source, trail, clock=trial.clock),
            _operator(source, trial),
            _question(registered, trial),
        )
    except AuditUnavailable:
        return Tried(problem=_problem(RequestError("audit-unavailable")))
    except RequestError as error:
        return Tried(problem=_problem(error))
    finally:
        await trail.aclose()
    return Tried(
        journey=msgspec.json.decode(as_json(journey)),
        origins=origins_of(registered.source.file),
    )


async def _warmed(
    registered: Registered, source: Source, trial: Trial
) -> Finding | None:
    """Nobody is asked for first: a drop may have to be taken in, which takes longer."""
    source_s = registered.settings.limits.source_s
    asker = Asker(
        source.adapter,
        place=registered.file,
        clock=trial.clock,
        bounds=Bounds(each_s=source_s, first_s=max(source_s, trial.first_s)),
    )
    nobody = of_nobody.strangers(source.identifier_systems)[0]
    told = await asker.put("reached", nobody)
    return told if isinstance(told, Finding) else None


def _problem(error: RequestError) -> Mapping[str, Any]:
    told: Mapping[str, Any] = msgspec.to_builtins(problem_of(error, None))
    return told


def _house(
    registered: Registered, source: Source, trail: Trail, *, clock: Clock
) -> House:
    policy = _policy(source.organisation.ods, clock.now())
    limits = registered.settings.limits
    return House(
        sources=(source,),
        names={each.ods: each.name for each in registered.settings.organisations},
        policy=lambda: policy,
        trail=trail,
        clock=clock,
        lanes=Lanes(limits.per_source),
        limits=limits,
    )


def _policy(ods: str, now: datetime) -> PolicySet:
    """One agreement by which an organisation may see what is its own."""
    today = now.date()
    last = (today + timedelta(days=1)).isoformat()
    document = parse_document(
        {
            "kind": "agreement",
            "id": _AGREEMENT,
            "parties": {"providers": [ods], "recipients": [ods]},
            "dpia": "none: an organisation looks at its own source",
            "review_by": last,
            "valid": {"from": today.isoformat(), "through": last},
            "clauses": [_clause()],
        },
        where="trial",
    )
    if not isinstance(document, Agreement):
        raise ConfigurationError("the trial's policy is none", file="trial")
    signature = Signature(
        document=document.id,
        hash=content_hash(document),
        organisation=ods,
        person="throughline source try",
        capacity="caldicott",
        at=now,
    )
    return compile_set([document], [signature])


def _clause() -> dict[str, object]:
    return {
        "id": "c1",
        "purposes": [_PURPOSE],
        "legal_basis": {
            "art6": "6(1)(e)",
            "art9": "9(2)(h)",
            "confidentiality": "implied-consent",
        },
        "operations": ["journey.read"],
        "modes": ["identified"],
        "roles": [_ROLE],
        "relationships": ["registered"],
        "assurance": ["aal2"],
        "categories": sorted(vocabulary.CATEGORIES),
        "cleared_labels": sorted(vocabulary.CLEARABLE),
        "why": "An organisation looks at its own source",
    }


def _operator(source: Source, trial: Trial) -> Requester:
    ods = source.organisation.ods
    return Requester(
        issuer="urn:throughline:source-try",
        subject=trial.operator,
        client_id="source-try",
        kind="user",
        organisation=ods,
        role=_ROLE,
        assurance="aal2",
        purposes=frozenset({_PURPOSE}),
        scopes=frozenset({"journey:read"}),
        relationships=(Relationship(kind="registered", organisation=ods),),
        token_id="source-try",  # noqa: S106 - it is the name of no token at all
    )


def _question(registered: Registered, trial: Trial) -> Question:
    return Question(
        person=Identifiers(nhs_number=trial.number),
        purpose=_PURPOSE,
        since=trial.since,
        until=trial.until,
        categories=frozenset(vocabulary.CATEGORIES),
        require=Require(),
        min_sources=0,
        strict=False,
        limit=_EVENTS,
        deadline_s=registered.settings.limits.journey_s,
        agreement=None,
        claim=None,
    )
