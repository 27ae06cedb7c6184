"""Records and their one encoding: metadata only, and the same bytes everywhere."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from gateway.audit.canonical import canon
from gateway.audit.keys import Subject
from gateway.audit.records import (
    Analysed,
    BreakGlass,
    ClockJump,
    Denied,
    Explained,
    Intent,
    SourceCheck,
    Stamp,
    Start,
    Stop,
    TicketsRefused,
    cited,
    encoded,
    parts_of,
)
from tests.people import number
from tests.trails import ACTOR, intent, outcome

STAMP = Stamp(
    id="00" * 16, at=datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC), process="ab"
)

RECORDS = [
    Start(version="0.1.0"),
    Stop(),
    ClockJump(back_ms=1500),
    intent(sources=3),
    outcome(count=0, as_of=datetime(2026, 1, 5, 9, 14, 2, tzinfo=UTC), took_ms=12),
    outcome(count=None, reason="deadline", domain="source"),
    Denied(journey="jny_1", actor=ACTOR, code="not-permitted"),
    Analysed(
        actor=ACTOR,
        action="what-if",
        object="local-rule",
        document="LR-1",
        hash="sha256:ab",
        policy="sha256:cd",
    ),
    BreakGlass(
        action="declared",
        actor=ACTOR,
        glass="bgl_a",
        purpose="direct-care",
        subjects=(Subject(key_id="k1", hmac="ab" * 32),),
        reason_code="urgent-care",
        reason_hmac="cd" * 32,
        expires_at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC),
    ),
    Explained(actor=ACTOR, purpose="direct-care", policy="sha256:aa", organisations=()),
    TicketsRefused(code="forged", count=40, site="z9b02-site"),
    TicketsRefused(code="forged", count=1_000_000),
    SourceCheck(
        source="Z9A01.gp",
        organisation="Z9A01",
        operator="uid:1000",
        subjects=(Subject(key_id="k1", hmac="ab" * 32),),
    ),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.kind)
def test_a_record_is_encoded_canonically_with_its_stamp(record):
    data = encoded(record, STAMP)
    body = json.loads(data)
    assert canon(body) == data
    assert body["type"] == record.kind
    assert body["id"] == "00" * 16
    assert body["at"] == "2026-03-01T12:00:00.000005Z"
    assert body["process"] == "ab"


def test_an_intent_holds_who_why_about_whom_and_under_which_rule():
    assert json.loads(encoded(intent(), STAMP)) == {
        "type": "intent",
        "id": "00" * 16,
        "at": "2026-03-01T12:00:00.000005Z",
        "process": "ab",
        "journey": "jny_1",
        "actor": {
            "issuer": "urn:throughline:demo-issuer",
            "subject": "user-1",
            "client_id": "demo-app",
            "organisation": "Z9A01",
            "role": "doctor",
        },
        "purpose": "direct-care",
        "policy": "sha256:aa",
        "subjects": [{"key_id": "k1", "hmac": "ab" * 32}],
        "decisions": [
            {
                "source": "Z9A01.s0",
                "organisation": "Z9A01",
                "categories": ["encounters"],
                "effect": "permit",
                "code": "granted",
                "authority": "DSA-1/c1@1#Z9A01",
                "labels": "unlabelled",
                "flags": [],
            }
        ],
        "sources": ["Z9A01.s0"],
        "evidence": [],
        "agreement": None,
        "decision": None,
        "basis": None,
        "break_glass": None,
        "exchange": None,
        "sought": [],
        "described_by": [],
    }


def test_the_time_is_utc_whatever_the_clock_was_set_to():
    summer = timezone(timedelta(hours=1))
    stamp = Stamp(id="x", at=datetime(2026, 7, 1, 0, 30, tzinfo=summer), process="p")
    assert json.loads(encoded(Stop(), stamp))["at"] == "2026-06-30T23:30:00.000000Z"


CONTENT = {
    "an NHS number": number(0),
    "an NHS number with hyphens": f"{number(0)[:3]}-{number(0)[3:6]}-{number(0)[6:]}",
    "a number in an id": f"DSA-{number(0)}/c1@1#Z9A01",
    "a number in a path": f"a:{number(0)}",
    "a number after a colon": f":{number(0)}",
    "a number after a point": f"x_{number(0)}.y",
    "a number with hyphens in an id": (
        f"DSA-{number(0)[:3]}-{number(0)[3:6]}-{number(0)[6:]}"
    ),
    "a sentence": "fell at home",
    "a name": "Zoë",
    "a line end": "a\nb",
    "a quote": 'a"b',
    "a backslash": "a\\b",
    "a control character": "a\x7fb",
    "nothing": "",
}


@pytest.mark.parametrize("text", CONTENT.values(), ids=CONTENT)
def test_content_is_refused_wherever_it_stands(text):
    for record in (
        Start(version=text),
        intent(journey=text),
        outcome(reason=text),
        Denied(journey="j", actor=ACTOR, code="c", evidence=("ok", text)),
    ):
        with pytest.raises(ValueError, match="is not a code") as caught:
            encoded(record, STAMP)
        assert not text or text not in str(caught.value)


@pytest.mark.parametrize("amount", [1.5, 1e300, 2**53, -(2**63), 10**16])
def test_floats_and_integers_not_read_alike_everywhere_are_refused(amount):
    with pytest.raises(ValueError, match="is not a code"):
        encoded(outcome(took_ms=amount), STAMP)


def test_ten_digits_that_are_no_nhs_number_are_a_code():
    assert b"9990000019" in encoded(Start(version="9990000019"), STAMP)


def test_digits_in_a_hash_and_counts_are_no_number_of_a_person():
    for text in (
        f"a{number(0)}",
        f"{number(0)}f",
        f"0{number(0)}",
        f"sha256:{'9' * 64}",
    ):
        assert text.encode() in encoded(Start(version=text), STAMP)
    assert number(0).encode() in encoded(ClockJump(back_ms=int(number(0))), STAMP)


@pytest.mark.parametrize(
    "text", ["no such agreement", number(0), f"DSA-{number(0)}", "", "é", "x" * 256]
)
def test_what_a_caller_cites_may_be_anything_and_is_recorded_only_as_a_code(text):
    assert cited(text) == "not-a-code"
    record = Denied(journey="j", actor=ACTOR, code="c", agreement=text)
    assert json.loads(encoded(record, STAMP))["agreement"] == "not-a-code"


def test_a_cited_agreement_is_recorded_as_it_is():
    assert cited("DSA-2031-017") == "DSA-2031-017"
    assert cited(None) is None


def test_an_over_long_record_is_parted_and_never_cut():
    data = encoded(intent(sources=900), STAMP)
    parts = parts_of(data, STAMP, part_bytes=2048)
    told = [json.loads(part) for part in parts]
    assert max(len(part) for part in parts) <= 2048
    assert "".join(part["text"] for part in told).encode() == data
    assert [part["part"] for part in told] == list(range(1, len(parts) + 1))
    assert {(part["type"], part["id"], part["parts"]) for part in told} == {
        ("part", "00" * 16, len(parts))
    }


def test_a_record_does_not_show_who_asked():
    assert "user-1" not in repr(intent())


def test_a_subject_is_a_key_and_a_hash():
    assert Intent.__annotations__["subjects"] == tuple[Subject, ...]
