"""What waits in a relay, and what meets what."""

import asyncio

import pytest

from adapters.relay import Brought
from gateway.relay.queue import Full, Question, Queue

SITE, OTHER = "z9b02-site", "z9c03-site"
BROUGHT = Brought(media_type="application/jose", body=b"sealed")


def jti(number: int) -> str:
    return f"{number:032x}"


def queue(questions: int = 8, polls: int = 8) -> Queue:
    return Queue(questions=questions, polls=polls)


def put(relay: Queue, number: int = 1, site: str = SITE) -> Question:
    question = Question(site, jti(number), b"posted")
    relay.put(question)
    return question


async def test_a_question_goes_to_the_poll_that_waited_longest():
    relay = queue()
    first, second = relay.open(SITE), relay.open(SITE)
    question = put(relay)
    assert first.given.result() is question
    assert question.is_fetched.is_set()
    assert not second.given.done()


async def test_a_poll_is_given_the_question_that_waited_longest():
    relay = queue()
    first, second = put(relay, 1), put(relay, 2)
    assert relay.open(SITE).given.result() is first
    assert relay.unfetched(SITE) == (second.jti,)


async def test_a_question_is_for_its_own_site_alone():
    relay = queue()
    other = relay.open(OTHER)
    question = put(relay)
    assert not other.given.done()
    relay.open(SITE)
    assert not relay.bring(OTHER, question.jti, BROUGHT)
    assert relay.bring(SITE, question.jti, BROUGHT)
    assert question.answer.result() is BROUGHT


async def test_an_answer_is_taken_once():
    relay = queue()
    relay.open(SITE)
    question = put(relay)
    assert relay.bring(SITE, question.jti, BROUGHT)
    assert not relay.bring(SITE, question.jti, BROUGHT)


async def test_nothing_is_brought_for_what_was_not_fetched_or_is_held_no_more():
    relay = queue()
    question = put(relay)
    assert not relay.bring(SITE, question.jti, BROUGHT)
    relay.open(SITE)
    relay.drop(question)
    relay.drop(question)  # twice is safe
    assert not relay.bring(SITE, question.jti, BROUGHT)
    assert not relay.bring(SITE, jti(9), BROUGHT)


async def test_a_dropped_question_is_handed_to_nobody():
    relay = queue()
    first, second = put(relay, 1), put(relay, 2)
    relay.drop(first)
    assert relay.open(SITE).given.result() is second
    relay.drop(second)
    assert relay.asked == ()


async def test_a_poll_that_was_shut_is_given_nothing():
    relay = queue()
    poll = relay.open(SITE)
    relay.shut(poll)
    relay.shut(poll)  # twice is safe
    question = put(relay)
    assert not question.is_fetched.is_set()
    assert relay.polled == ()


async def test_a_cancelled_poll_is_passed_over():
    relay = queue()
    gone, there = relay.open(SITE), relay.open(SITE)
    gone.given.cancel()
    assert there.given.done() is False
    question = put(relay)
    assert there.given.result() is question


async def test_a_poll_that_is_believed_no_more_is_given_nothing():
    """Seeded defect: whoever polled before a revocation is handed the next question."""
    relay, believed = queue(), [True]
    revoked = relay.open(SITE, lambda: believed[-1])
    rotated = relay.open(SITE)
    believed.append(False)
    question = put(relay)
    assert revoked.given.cancelled()
    assert rotated.given.result() is question


async def test_a_poll_that_is_believed_no_more_fetches_nothing_from_elsewhere():
    relay = queue()
    revoked = relay.open(SITE, lambda: False)
    rotated = relay.open(SITE)
    assert relay.reserve(SITE) is rotated
    assert revoked.given.cancelled()
    alone = relay.open(OTHER, lambda: False)
    assert relay.reserve(OTHER) is None
    assert alone.given.cancelled()
    assert relay.polled == ()


async def test_what_waits_of_one_site_is_bounded():
    relay = queue(questions=2, polls=1)
    first = put(relay, 1)
    put(relay, 2)
    with pytest.raises(Full):
        put(relay, 3)
    put(relay, 3, OTHER)  # another site has its own room
    relay.open(SITE)
    relay.open(SITE)  # both were given what waited
    with pytest.raises(Full):
        put(relay, 4)  # fetched is not answered: it counts
    relay.drop(first)
    put(relay, 4)
    relay.open(SITE)
    relay.open(SITE)
    with pytest.raises(Full):
        relay.open(SITE)


async def test_a_question_is_carried_once():
    relay = queue()
    put(relay)
    with pytest.raises(ValueError, match="once"):
        put(relay)


async def test_a_question_whose_poll_hung_up_waits_again():
    relay = queue()
    relay.open(SITE)
    question = put(relay)
    relay.give_back(question)
    assert not question.is_fetched.is_set()
    assert relay.open(SITE).given.result() is question
    relay.bring(SITE, question.jti, BROUGHT)
    relay.give_back(question)
    assert relay.unfetched(SITE) == ()


async def test_a_question_of_another_gateway_goes_to_another_poll_here():
    relay = queue()
    question = Question(SITE, jti(1), b"posted", is_elsewhere=True)
    relay.give_back(question)  # nobody polls: it is lost
    assert relay.unfetched(SITE) == ()
    poll = relay.open(SITE)
    assert not poll.given.done()
    relay.give_back(question)
    assert poll.given.result() is question


async def test_a_question_that_nobody_awaits_any_more_is_not_given_again():
    relay = queue()
    relay.open(SITE)
    question = put(relay)
    relay.drop(question)
    poll = relay.open(SITE)
    relay.give_back(question)
    assert not poll.given.done()


async def test_a_reserved_poll_waits_for_nothing_else():
    relay = queue()
    assert relay.reserve(SITE) is None
    poll = relay.open(SITE)
    assert relay.reserve(SITE) is poll
    was_reserved = poll.is_reserved
    question = put(relay)
    assert not poll.given.done()
    relay.put_back(poll)
    assert (was_reserved, poll.is_reserved) == (True, False)
    assert poll.given.result() is question
    relay.put_back(poll)  # it was given something: it waits no more
    assert relay.polled == ()


async def test_a_question_is_fetched_once_for_a_poll_elsewhere():
    relay = queue()
    question = put(relay)
    assert relay.fetch(OTHER, question.jti) is None
    assert relay.fetch(SITE, jti(7)) is None
    assert relay.fetch(SITE, question.jti) is question
    assert question.is_fetched.is_set()
    assert relay.fetch(SITE, question.jti) is None


async def test_nothing_stays_of_what_is_over():
    relay = queue()
    for number in range(50):
        question = put(relay, number)
        poll = relay.open(SITE)
        relay.bring(SITE, question.jti, BROUGHT)
        relay.shut(poll)
        relay.drop(question)
    await asyncio.sleep(0)
    kept = (relay._held, relay._waiting, relay._polls, relay._counts)
    assert [len(each) for each in kept] == [0, 0, 0, 0]
