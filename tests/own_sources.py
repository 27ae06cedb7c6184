"""A house whose asker has a source of its own, beside a surgery's, and its trail."""

from dataclasses import replace

import msgspec
import pytest

from gateway.journey.inquiry import House, inquire
from gateway.problems import RequestError, problem_of
from tests.fakes import FakeAdapter, FakeTrail
from tests.houses import (
    RECIPIENT,
    answer,
    clause,
    doctor,
    event,
    house,
    memory,
    policy_of,
    profile,
    question,
    source,
)

OWN = f"{RECIPIENT}.pas"
SURGERY = "Z9A01.gp"
HELD = ("encounters", "referrals", "medications")
BOTH = clause(relationships=["active-encounter", "referral"])
JUST_NOW = "2026-03-01T09:00:00+00:00"
SEEN = event("own-1", JUST_NOW)
REFERRED = event("own-2", "2026-02-01", kind="referral", status="active")
LONG_AGO = event("own-3", "2024-02-01T09:00:00+00:00")
TABLET = event("own-4", "2026-02-01", kind="medication", status="active")
AT_SURGERY = event("gp-1", kind="gp_consultation")


WHOLE = replace(profile(HELD), whole_person=True)


class Watched(FakeAdapter):
    """Events in memory, which remembers what it was asked."""

    def __init__(self, *events, held=HELD):
        self.memory = memory(*events, held=held)
        whole = replace(profile(held), whole_person=True)
        super().__init__(lambda _: answer(), profile=whole)

    async def ask(self, query):
        self.asked.append(query)
        return await self.memory.ask(query)


def problem(refusal):
    """What a caller is told, but for the id of the decision."""
    return msgspec.structs.replace(problem_of(refusal, None), instance=None)


class Asked:
    """A house with a source of the asker's own and one of a surgery, and its trail."""

    def __init__(self, own, *clauses, policy=None, **changed):
        self.own = own
        self.surgery = Watched(AT_SURGERY)
        self.trail = FakeTrail(fails_at=changed.pop("fails_at", None))
        flags = changed.pop("flags", None)
        mine = source(OWN, own, **({"flags": flags} if flags else {}))
        sources = (mine, source(SURGERY, self.surgery, sector="primary-care"))
        owners = [RECIPIENT, "Z9A01"]
        self.house: House = replace(
            house(
                *sources,
                policy=policy or policy_of(owners, *(clauses or (BOTH,))),
                trail=self.trail,
                limits=changed.pop("limits", None),
            ),
            **changed,
        )

    async def told(self, who=None, **asked):
        who = who or doctor("none")
        return await inquire(self.house, who, question(**asked))

    async def refused(self, who=None, **asked):
        with pytest.raises(RequestError) as caught:
            await self.told(who, **asked)
        return caught.value

    @property
    def kinds(self):
        return [each.kind for each in self.trail.records]
