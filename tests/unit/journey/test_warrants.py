"""What goes with a question to a site; and that who is suspended is sent none."""

from dataclasses import replace
from datetime import timedelta

from gateway.journey.inquiry import inquire
from tests.fakes import FakeAdapter
from tests.houses import (
    NOW,
    RECIPIENT,
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


def a_site(*held):
    told = replace(profile(held or ("encounters",)), wants_warrant=True)
    return FakeAdapter(lambda _: answer(event("r1")), profile=told)


async def sent(adapter, *clauses, **changed):
    """The warrant with which the site was asked."""
    at = source("Z9A01.site", adapter)
    asked = house(at, policy=policy_of(["Z9A01"], *clauses))
    await inquire(asked, doctor(), question(**changed))
    query = adapter.asked[0]
    return query.warrant


async def test_a_site_is_told_who_asks_what_for_and_for_whom():
    warrant = await sent(a_site())
    told = (warrant.owner, warrant.organisation, warrant.role, warrant.purpose)
    assert told == ("Z9A01", RECIPIENT, "doctor", "direct-care")
    assert (warrant.operation, warrant.mode) == ("journey.read", "identified")
    assert (warrant.assurance, warrant.agreement) == ("aal2", None)
    assert warrant.break_glass is False
    assert warrant.journey.startswith("jny_")
    assert warrant.decision.startswith("dec_")


async def test_what_is_granted_alike_is_told_once_and_demographics_with_it():
    warrant = await sent(a_site("encounters", "problems"))
    (granted,) = warrant.granted
    assert granted.relationship == "registered"
    assert granted.categories == {"encounters", "problems", "demographics"}


async def test_what_is_granted_narrower_is_told_apart():
    narrow = clause(
        id="c2", categories=["problems"], obligations={"date_grain": "year"}
    )
    wide = clause(categories=["encounters", "demographics"])
    warrant = await sent(a_site("encounters", "problems"), wide, narrow)
    views = {each.categories: each.view for each in warrant.granted}
    assert views.keys() == {
        frozenset({"encounters", "demographics"}),
        frozenset({"problems"}),
    }
    assert views[frozenset({"problems"})]["date_grain"] == "year"


async def test_what_was_not_granted_is_not_in_it():
    only = clause(categories=["encounters"])
    warrant = await sent(a_site("encounters", "problems"), only)
    (granted,) = warrant.granted
    assert granted.categories == {"encounters"}


async def test_without_demographics_in_question_none_are_granted():
    warrant = await sent(a_site(), categories=frozenset({"encounters"}))
    (granted,) = warrant.granted
    assert granted.categories == {"encounters"}


async def test_an_answer_is_of_use_until_the_deadline_and_no_longer():
    warrant = await sent(a_site(), deadline_s=1.0)
    assert NOW < warrant.until <= NOW + timedelta(seconds=1)


async def test_who_is_no_site_is_sent_none():
    adapter = FakeAdapter(lambda _: answer(event("r1")), profile=profile())
    assert await sent(adapter) is None


class Suspended:
    """Suspensions of which each is in force."""

    def is_suspended(self, source):
        return source == "Z9A01.site"

    async def mismatched(self, source, person, *, most):
        raise AssertionError("nothing was told of anybody else")

    def note(self, found):
        """Nothing is kept."""


async def test_a_suspended_source_is_not_asked_and_that_is_said():
    adapter = a_site()
    other = source("Z9B02.pas", FakeAdapter(lambda _: answer(), profile=profile()))
    asked = replace(
        house(source("Z9A01.site", adapter), other),
        suspensions=Suspended(),  # type: ignore[arg-type]  # all of it that is used
    )
    journey = await inquire(asked, doctor(), question())
    assert adapter.asked == []
    found = {e.source: (e.state, e.reason) for e in journey.completeness.sources}
    assert found["Z9A01.site"] == ("not_asked", "suspended")
    assert journey.completeness.level == "partial"
    assert "until its administrator clears it" in journey.completeness.gaps[0].meaning
