"""A practice that describes Ann, and a ward that may hold her under no number."""

from dataclasses import replace

from adapters.contract import Candidate, Identifier, Identifiers, Person
from adapters.memory import MemoryAdapter
from adapters.moment import read_iso
from gateway.journey.inquiry import inquire
from gateway.linking import Linkage
from tests.fakes import FakeAdapter, FakeTrail
from tests.houses import (
    ANN,
    NOW,
    answer,
    clause,
    doctor,
    event,
    house,
    policy_of,
    profile,
    question,
    source,
)
from tests.people import LOCAL

GP = "Z9A01.gp"
WARD = "Z9B02.pas"
THEIRS = Identifiers(others=frozenset({Identifier(LOCAL, "W-77")}))
OTHERS = Identifiers(others=frozenset({Identifier(LOCAL, "W-78")}))
AT_WARD = event("w-1", of=THEIRS)
AT_GP = event("g-1", kind="gp_consultation")


def described(
    of=THEIRS,
    name="Ann Quillfield",
    born="1956-03-14",
    gender="female",
    postcode="QZ1 4AB",
):
    when = read_iso(born) if born else None
    return Person(
        identifiers=of.every,
        name=name,
        birth_date=when[0] if when else None,
        gender=gender,
        postcode=postcode,
    )


ANN_AT_GP = described(ANN)
TWIN = described(OTHERS, name="Beth Quillfield")


def veto(org, when):
    return {
        "kind": "local-rule",
        "id": f"LR-{org}",
        "org": org,
        "rules": [
            {
                "id": "v1",
                "effect": "veto",
                "when": when,
                "overridable": False,
                "why": "Board",
            }
        ],
    }


def bound(org, when=None, **obligations):
    rule = veto(org, when or {"categories": ["demographics"]})
    (only,) = rule["rules"]
    only |= {"effect": "constrain", "obligations": obligations}
    return rule


class Register(MemoryAdapter):
    """A memory that knows people too, and remembers by whom it was asked."""

    def __init__(self, *events, people=(), fails=None, flags=()):
        super().__init__(
            events, sector="acute", held=frozenset({"encounters"}), as_of=NOW, key=LOCAL
        )
        self.profile = replace(profile(), key_system=LOCAL)
        self.people = tuple(Candidate(person=each, flags=flags) for each in people)
        self.flags = flags
        self.matched = []
        self.asked = []
        self._fails = fails

    async def ask(self, query):
        self.asked.append(query.person)
        found = await super().ask(query)
        return replace(found, flags=self.flags) if found.person else found

    async def match(self, described, *, limit):
        self.matched.append(described)
        if self._fails is not None:
            raise self._fails
        return await super().match(described, limit=limit)


def practice(person=ANN_AT_GP, *events):
    """A source that knows Ann by her number, and describes her."""

    def told(query):
        if not query.person.every & ANN.every:
            return answer(about=None)
        return replace(answer(*(events or (AT_GP,))), person=person)

    return FakeAdapter(told, profile=profile())


def everybody(*rules, owners=("Z9A01", "Z9B02"), recipients=("Z9A01", "Z9B02")):
    return policy_of(owners, clause(), rules=rules, recipients=recipients)


class Asked:
    """A practice that knows Ann and a ward that may, and what becomes of asking."""

    def __init__(self, ward, gp=None, *others, demographics="on", **changed):
        self.ward, self.gp = ward, gp or practice()
        self.trail = FakeTrail(fails_at=changed.pop("fails_at", None))
        knobs = changed.pop("knobs", {})
        flags = changed.pop("flags", {})
        policy = changed.pop("policy", None) or everybody()
        limits = changed.pop("limits", None)
        self.house = replace(
            house(
                source(GP, self.gp, sector="primary-care"),
                source(changed.pop("ward_id", WARD), ward, **flags),
                *others,
                policy=policy,
                trail=self.trail,
                limits=limits,
            ),
            linkage=Linkage(demographics=demographics, **knobs),
        )

    def house_with(self, linkage):
        return replace(self.house, linkage=linkage)

    async def told(self, **asked):
        return await inquire(self.house, doctor(), question(**asked))


def report(journey, name=WARD):
    (found,) = [e for e in journey.completeness.sources if e.source == name]
    return found


def codes(journey, name=WARD):
    return {each.code: each.count for each in report(journey, name).caveats}


def ids(journey):
    return {each.provenance.record_id for each in journey.events}
