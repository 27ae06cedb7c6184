"""A gateway's middle without its edges: sources in memory, real policy, fake trail."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

from adapters import nhs_number
from adapters.contract import (
    Adapter,
    Answer,
    Caveat,
    Code,
    Event,
    Identifier,
    Identifiers,
    Person,
    Profile,
)
from adapters.memory import MemoryAdapter
from adapters.moment import read_iso
from adapters.vocabulary import CATEGORIES
from gateway.access.requester import Relationship, Requester
from gateway.clock import Clock, SystemClock
from gateway.journey.ask import Lanes
from gateway.journey.inquiry import House
from gateway.journey.question import Question, Require
from gateway.settings import FlagRegistration, Limits
from gateway.sources import Organisation, Source
from policies.compile import PolicySet, compile_set
from policies.documents import (
    Agreement,
    LocalRule,
    Signature,
    content_hash,
    parse_document,
)
from tests.fakes import FakeTrail
from tests.people import LOCAL, number, person

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PREFILTERED: Mapping[str, FlagRegistration] = {
    "legally-restricted": "prefiltered",
    "sensitive-record": "prefiltered",
}
STATES: Mapping[str, FlagRegistration] = {
    "legally-restricted": "states",
    "sensitive-record": "states",
}
ANN = person(0)
BOB = person(1)
RECIPIENT = "Z9R01"


class HouseClock:
    """The real monotonic clock, for deadlines; a fixed wall clock, for answers."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return SystemClock().monotonic()


def subject(of: Identifiers) -> frozenset[Identifier]:
    """What a record names when it names everything of a person."""
    return of.every


def event(
    record_id: str,
    start: str | None = "2026-01-05T10:00:00+00:00",
    *,
    kind: str = "ed_attendance",
    of: Identifiers = ANN,
    end: str | None = None,
    codes: Sequence[str] = (),
    labels: Iterable[str] = (),
    status: str = "finished",
    organisation: str | None = None,
) -> Event:
    """An event of a person, its times in ISO 8601."""
    return Event(
        kind=kind,
        record_id=record_id,
        title=kind.replace("_", " "),
        status=status,
        start=_moment(start),
        end=_moment(end),
        codes=tuple(Code("urn:test", code) for code in codes),
        labels=frozenset(labels),
        subject=subject(of),
        organisation=organisation,
    )


def _moment(text: str | None):
    found = read_iso(text) if text else None
    return found[0] if found else None


def profile(
    held: Iterable[str] = ("encounters",), systems: Iterable[str] = ()
) -> Profile:
    """A profile of a source that can be asked by NHS number and local identifier."""
    return Profile(
        adapter="memory/1",
        mapping=None,
        held=frozenset(held),
        identifier_systems=frozenset(systems) or frozenset({nhs_number.SYSTEM, LOCAL}),
    )


def answer(
    *events: Event,
    about: Identifiers | None = ANN,
    caveats: Iterable[str] = (),
    as_of: datetime = NOW,
    name: str | None = None,
    born: str | None = None,
) -> Answer:
    """An answer as an adapter gives it; `about` None: nobody known."""
    header = None
    if about is not None:
        header = Person(identifiers=about.every, name=name, birth_date=_moment(born))
    return Answer(
        events=events,
        person=header,
        as_of=as_of,
        held=frozenset({"encounters"}),
        caveats=tuple(Caveat(code) for code in caveats),
    )


def memory(
    *events: Event, sector: str = "acute", held: Iterable[str] = ("encounters",)
) -> MemoryAdapter:
    """A memory adapter of these events."""
    adapter = MemoryAdapter(events, sector=sector, held=frozenset(held), as_of=NOW)
    adapter.profile = profile(held)
    return adapter


def source(
    id: str,  # noqa: A002 - the source's own word
    adapter: Adapter,
    *,
    sector: str = "acute",
    labels: str = "labelled",
    flags: Mapping[str, FlagRegistration] = PREFILTERED,
    fresh_s: int = 3600,
) -> Source:
    """A source of the organisation that its id names before the dot."""
    ods = id.partition(".")[0]
    return Source(
        id=id,
        organisation=Organisation(ods=ods, name=f"{ods} (synthetic)"),
        sector=sector,
        adapter=adapter,
        fresh_s=fresh_s,
        labels=labels,
        flags=flags,
        contact=None,
    )


def clause(**changed: object) -> dict[str, object]:
    """A clause that lets a doctor of RECIPIENT read everything for direct care."""
    return {
        "id": "c1",
        "purposes": ["direct-care"],
        "legal_basis": {
            "art6": "6(1)(e)",
            "art9": "9(2)(h)",
            "confidentiality": "implied-consent",
        },
        "operations": ["journey.read"],
        "modes": ["identified"],
        "roles": ["doctor"],
        "relationships": ["registered"],
        "assurance": ["aal2"],
        "categories": sorted(CATEGORIES),
        "cleared_labels": ["PSY", "unlabelled"],
        "why": "Shared care",
    } | changed


def policy_of(
    owners: Iterable[str],
    *clauses: Mapping[str, object],
    rules: Sequence[Mapping[str, object]] = (),
    recipients: Iterable[str] = (),
) -> PolicySet:
    """An agreement of these owners with RECIPIENT, signed by all, and local rules.

    `recipients` are those beside it.
    """
    receiving = sorted({*recipients, RECIPIENT})
    providers = sorted(set(owners))
    agreement = parse_document(
        {
            "kind": "agreement",
            "id": "DSA-TEST",
            "parties": {"providers": providers, "recipients": receiving},
            "dpia": "DPIA-1",
            "review_by": "2027-01-01",
            "valid": {"from": "2026-01-01", "through": "2027-12-31"},
            "clauses": [dict(each) for each in clauses or (clause(),)],
        },
        where="test",
    )
    assert isinstance(agreement, Agreement)
    signatures = [
        Signature(
            document=agreement.id,
            hash=content_hash(agreement),
            organisation=each,
            person="p",
            capacity="caldicott",
            at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for each in {*providers, *receiving}
    ]
    documents: list[Agreement | LocalRule] = [agreement]
    for rule in rules:
        document = parse_document(rule, where="test")
        assert isinstance(document, LocalRule)
        documents.append(document)
    return compile_set(documents, signatures)


def house(
    *sources: Source,
    policy: PolicySet | None = None,
    trail: FakeTrail | None = None,
    limits: Limits | None = None,
    clock: Clock | None = None,
) -> House:
    """A house of these sources; without a policy everything may be asked."""
    compiled = policy or policy_of(each.organisation.ods for each in sources)
    bounds = limits or Limits()
    return House(
        sources=tuple(sorted(sources, key=lambda each: each.id)),
        names={each.organisation.ods: each.organisation.name for each in sources},
        policy=lambda: compiled,
        trail=trail or FakeTrail(),  # type: ignore[arg-type]  # held to Trail by test_fakes
        clock=clock or HouseClock(),
        lanes=Lanes(bounds.per_source),
        limits=bounds,
    )


def doctor(*relationships: str, **changed: object) -> Requester:
    """A doctor of RECIPIENT, by default one with whom the person is registered."""
    told = relationships or ("registered",)
    given: dict[str, object] = {
        "issuer": "urn:test",
        "subject": "u1",
        "client_id": "app",
        "kind": "user",
        "organisation": RECIPIENT,
        "role": "doctor",
        "assurance": "aal2",
        "purposes": frozenset({"direct-care"}),
        "scopes": frozenset({"journey:read"}),
        "relationships": tuple(
            Relationship(kind=each, organisation=RECIPIENT)
            for each in told
            if each != "none"
        ),
        "token_id": "t1",
    }
    return Requester(**(given | changed))  # type: ignore[arg-type]  # a test's own defaults


def question(of: Identifiers | None = None, **changed: object) -> Question:
    """A question for direct care about Ann by her NHS number, of all time."""
    given: dict[str, object] = {
        "person": of or Identifiers(nhs_number=number(0)),
        "purpose": "direct-care",
        "since": None,
        "until": None,
        "categories": CATEGORIES,
        "require": Require(),
        "min_sources": 0,
        "strict": False,
        "limit": 5000,
        "deadline_s": 5.0,
        "agreement": None,
        "claim": None,
    }
    return Question(**(given | changed))  # type: ignore[arg-type]  # a test's own defaults


def day(text: str) -> date:
    return date.fromisoformat(text)
