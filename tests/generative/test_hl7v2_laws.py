"""Laws of a feed: order changes nothing, nothing is lost, numbers that differ stay two.

Catches a message that is folded as it arrives, a merge believed on its word alone, a
line that ends an intake.
"""

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract import Answer
from tests.hl7 import (
    adt,
    everything,
    feed,
    message,
    names,
    person,
    pid,
    segment,
    stay,
)

KEYS = ("K0", "K1", "K2", "K3")
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a feed answers about each of the four, and how its messages were counted."""

    answers: dict[str, Answer]
    taken: int
    rejected: int


async def ask(data: bytes) -> Asked:
    with tempfile.TemporaryDirectory() as folder:
        async with feed(Path(folder)) as adapter:
            written = Path(folder) / "feed" / "messages.hl7"
            written.write_bytes(data)
            answers = {k: await adapter.ask(everything(person(k))) for k in KEYS}
            rejected = sum(each.rows for each in await adapter.rejected())
            taken = (await adapter.taken()).total()
    return Asked(answers=answers, taken=taken, rejected=rejected)


def told(data: bytes) -> Asked:
    return asyncio.run(ask(data))


def owners(numbers: dict[str, int | None]) -> list[str]:
    """One visit of each of the four, who have these NHS numbers or none."""
    return [
        adt(
            "A04",
            pid(key, numbers[key]),
            visit=stay("20240101", number=f"visit-of-{key}", kind="E"),
            at="20240101",
            control=f"v{key}",
        )
        for key in KEYS
    ]


@st.composite
def linked(draw) -> tuple[dict[str, int | None], list[str]]:
    """Numbers of four people, and messages that merge and part them at will."""
    numbers = {key: draw(st.sampled_from([None, None, 0, 1])) for key in KEYS}
    messages = []
    for nth in range(draw(st.integers(0, 6))):
        one, other = draw(st.permutations(KEYS))[:2]
        at = f"202402{nth + 1:02d}"
        trigger = draw(st.sampled_from(["A40", "A40", "A47", "A24", "A37"]))
        # A message may repeat the number of whom it names, or leave it out.
        own = numbers[one] if draw(st.booleans()) else None
        if trigger in {"A24", "A37"}:
            people = (pid(one, own), pid(other))
        else:
            people = (pid(one, own), segment("MRG", {1: names(other)}))
        evn = segment("EVN", {2: at})
        messages.append(
            message(f"ADT^{trigger}", evn, *people, at=at, control=f"l{nth}")
        )
    return numbers, messages


@settings(suppress_health_check=SLOW)
@given(linked())
def test_whatever_is_merged_two_numbers_are_never_one_person(world):
    numbers, messages = world
    asked = told("".join([*owners(numbers), *messages]).encode())
    for key, answer in asked.answers.items():
        shown = {e.record_id.removeprefix("visit-of-") for e in answer.events}
        of_whom = {numbers[each] for each in shown} - {None}
        assert len(of_whom) <= 1
        assert key in shown
        for event in answer.events:
            named = {i.value for i in event.subject or () if i.value.isdigit()}
            assert len(named) <= 1


@settings(suppress_health_check=SLOW)
@given(linked(), st.randoms(use_true_random=False))
def test_the_order_in_which_messages_come_changes_nothing(world, random):
    numbers, messages = world
    every = [*owners(numbers), *messages]
    shuffled = list(every)
    random.shuffle(shuffled)
    # One instant's messages keep the order in which they came: each has its own here.
    first, second = told("".join(every).encode()), told("".join(shuffled).encode())
    for key in KEYS:
        assert first.answers[key].events == second.answers[key].events
        assert first.answers[key].person == second.answers[key].person
        assert first.answers[key].caveats == second.answers[key].caveats


LINES = st.sampled_from(
    [
        *(line for m in owners(dict.fromkeys(KEYS)) for line in m.split("\r") if line),
        segment("EVN", {1: "A08", 2: "20240230"}),
        segment("PV1", stay("99991231", kind="?", f45="1", f3="^^^")),
        segment("PV1", {2: '""', 19: '""', 44: '""'}),
        segment("PV1"),
        segment("PID"),
        segment("MRG", {1: names("K0"), 5: "visit-of-K0"}),
        "MSH|^~\\&",
        "MSH|^~\\&|||||20240101||ADT^A45|x",
        "MSH|^~\\&|||||20240101||ADT^A24|x",
        "MSH|^~\\&|||||20240101||ADT^A12|y",
        "MSH|^~\\&|||||20240101||SIU^S12|z",
        "MSH|^~\\&|||||20240101||ORU^R01|o",
        "MSH#*!?%#A#B#C#D#2024##ADT*A01#1",
        "SCH|||||||||||^^^20240101",
        "OBR|1||F1|x^y",
        "OBX|1|SN|a^b||<^5|",
        "AL1|1||^Nuts",
        "BTS|7",
        "a line of text",
        "\x0b",
        "\x1c",
    ]
)


@settings(suppress_health_check=SLOW)
@given(st.lists(LINES, max_size=14), st.sampled_from(["\r", "\n", "\r\n"]))
def test_whatever_lines_come_every_message_has_a_place(lines, end):
    data = end.join(lines).encode()
    asked = told(data)
    headers = sum(line.startswith("MSH") and len(line) > 3 for line in lines)
    # Lines outside any message, and batches of another count, are told besides.
    besides = sum(not line.startswith("MSH") for line in lines)
    assert headers <= asked.taken + asked.rejected <= headers + besides
    assert asked.taken <= headers
