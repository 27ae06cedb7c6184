"""How the person is described to a source that knows nobody by their identifiers.

By what identified sources say and the asker may see, and of that only what its owner
permits to be told where it is asked: it would learn what another knows. Pure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Final, Literal

import msgspec

from adapters import nhs_number
from adapters.contract import Identifier, Person
from gateway.journey.identity import Known
from gateway.journey.matching.compare import compared
from gateway.journey.outcome import Answered
from gateway.journey.released import ReleasedSource
from gateway.journey.shape import coarsened, shows
from gateway.policy.plan import ALWAYS, decide_cells
from gateway.sources import Source
from policies.compile import PolicySet
from policies.decide import Decision, Request
from policies.obligations import View
from policies.release import release

# Where two sources describe one person, these may not differ.
_TELLING: Final = frozenset(
    {"forename", "surname", "birth_date", "birth_year", "gender"}
)


Why = Literal["likeness_disputed", "likeness_not_permitted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """An identified source, and the person as it describes them to the asker."""

    source: Source
    said: Answered = field(repr=False)
    person: Person = field(repr=False)
    view: View


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """The person as one source may be told of them; by whom, as was decided."""

    person: Person = field(repr=False)
    told_by: tuple[Source, ...]
    decisions: tuple[tuple[Source, Decision], ...]  # of others than its own


def tellers(opened: Sequence[ReleasedSource], known: Known) -> tuple[Teller, ...]:
    """Who may say how the person is described: whose records name their NHS number."""
    return tuple(_tellers(opened, known))


def _tellers(opened: Sequence[ReleasedSource], known: Known) -> Iterator[Teller]:
    if known.nhs_number is None or nhs_number.SYSTEM in known.disputed:
        return
    number = Identifier(nhs_number.SYSTEM, known.nhs_number)
    for each in opened:
        said, person = each.outcome, each.person
        if not isinstance(said, Answered) or person is None or each.silent:
            continue
        if said.mismatched or number not in person.identifiers:
            continue
        shown = seen(person, each.person_view)
        yield Teller(
            source=each.asked.source, said=said, person=shown, view=each.person_view
        )


def seen(person: Person, view: View) -> Person:
    """The person as a view lets them be seen: what it alters at all is left out."""
    place = shows(view, "person.postcode") and shows(view, "person.address")
    born = coarsened(person.birth_date, view)
    return msgspec.structs.replace(
        person,
        name=person.name if shows(view, "person.name") else None,
        birth_date=born if shows(view, "person.birth_date") else None,
        gender=person.gender if shows(view, "person.gender") else None,
        postcode=person.postcode if place else None,
    )


def described_to(
    asked: Source,
    told: Sequence[Teller],
    known: Known,
    *,
    policy: PolicySet,
    request: Request,
) -> Description | Why | None:
    """How the person may be described to `asked`; or why not, where that is why.

    None where too little is known of them that could tie anything.
    """
    people: list[tuple[Source, Person]] = []
    decisions: list[tuple[Source, Decision]] = []
    for each in told:
        person: Person | None = each.person
        if each.source.organisation != asked.organisation:
            decision = disclosure(each.source, asked, policy=policy, request=request)
            person = _disclosed(each, decision, request)
            if person is not None:
                decisions.append((each.source, decision))
        if person is not None:
            people.append((each.source, person))
    person = agreed([person for _, person in people], known)
    if person is not None:
        return Description(
            person=person,
            told_by=tuple(source for source, _ in people),
            decisions=tuple(decisions),
        )
    would_do = agreed([each.person for each in told], known) is not None
    return "likeness_not_permitted" if would_do else None


def disclosure(
    owner: Source, asked: Source, *, policy: PolicySet, request: Request
) -> Decision:
    """Whether an owner's demographics may be told to the organisation of `asked`.

    As though that organisation had put the same question, and nobody could be told
    of it or give a reason for it: what needs that is refused.
    """
    theirs = replace(request, recipient=asked.organisation.ods, break_glass=False)
    (decision,) = decide_cells(
        policy, theirs, [(owner, "demographics")], abilities=lambda _: ALWAYS
    )
    return decision


def _disclosed(told: Teller, decision: Decision, request: Request) -> Person | None:
    """What of a teller's description may be told there: what both views show."""
    if decision.effect != "permit":
        return None
    decided = {"demographics": decision}
    released = release(told.said.header, decided, request.now).items
    for _, view in released:
        bound = view.meet(told.view)
        # Nobody could hold the source to these once it was asked.
        if not bound.no_onward and bound.retain_seconds is None:
            return seen(told.person, view)
    return None


def agreed(people: Sequence[Person], known: Known) -> Person | None:
    """One description of them all, by the fullest; None if it could tie nothing."""
    names = [each.name for each in people if each.name]
    births = [
        each.birth_date
        for each in people
        if each.birth_date and "birth_date" in compared(each, each)
    ]
    postcodes = [each.postcode for each in people if each.postcode]
    number = known.nhs_number or ""
    person = Person(
        identifiers=frozenset({Identifier(nhs_number.SYSTEM, number)}),
        name=max(names, key=len, default=None),
        birth_date=next(iter(births), None),
        gender=next((each.gender for each in people if each.gender), None),
        postcode=postcodes[0] if postcodes and _are_one(postcodes) else None,
    )
    levels = compared(person, person)
    return person if {"forename", "birth_date"} <= levels.keys() else None


def _are_one(postcodes: Sequence[str]) -> bool:
    return len({"".join(each.split()).upper() for each in postcodes}) == 1


def contradict(told: Sequence[Teller]) -> bool:
    """Whether two who tell of the person contradict each other."""
    for one, other in combinations(told, 2):
        levels = compared(one.person, other.person)
        if any(levels[name][0] == "differs" for name in levels.keys() & _TELLING):
            return True
        if "birth_date" in levels and levels["birth_date"][0] != "exact":
            return True
    return False
