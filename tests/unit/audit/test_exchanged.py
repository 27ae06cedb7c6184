"""What a trail tells of exchanges, whoever kept it, and what is no trail."""

import json

import pytest
from sqlalchemy import create_engine, text

from adapters.warrant import Exchange
from gateway.audit.exchanged import Exchanged, NotReadable, exchanged
from gateway.audit.records import (
    Denied,
    NotTaken,
    Outcome,
    SourceOutcome,
    Stamp,
    encoded,
    parts_of,
)
from tests.houses import NOW
from tests.trails import ACTOR, intent, outcome

ONE, TWO, THREE = ("1" * 32, "2" * 32, "3" * 32)
HASH = "ab" * 32
AT = "2026-06-15T11:00:00.000000Z"


@pytest.fixture
def connection():
    engine = create_engine("sqlite://")
    with engine.connect() as found:
        found.execute(text("CREATE TABLE audit_record (n INTEGER, record, chain BLOB)"))
        yield found
    engine.dispose()


def put(connection, *texts):
    for number, each in enumerate(texts, 1):
        connection.execute(
            text("INSERT INTO audit_record VALUES (:n, :record, x'00')"),
            {"n": number, "record": each},
        )


def written(record):
    return encoded(record, Stamp(id="f" * 32, at=NOW, process="p")).decode("ascii")


def with_site(*exchanges, source="Z9B02.epr"):
    told = SourceOutcome(source=source, state="answered", exchanges=exchanges)
    return Outcome(journey="jny_1", result="released", level="partial", sources=(told,))


def pairs_of(connection, **how):
    return [(each.question, each.answer) for each in exchanged(connection, **how)]


def test_a_gateways_outcomes_tell_of_each_question_and_its_answer(connection):
    told = with_site(
        Exchange(question=ONE, answer=HASH), Exchange(question=TWO, answer=None)
    )
    put(connection, written(intent()), written(outcome()), written(told))
    assert pairs_of(connection) == [(ONE, HASH), (TWO, None)]


def test_a_site_tells_of_what_it_took_denied_and_did_not_take(connection):
    denied = Denied(
        journey="jny_1",
        actor=ACTOR,
        code="not-permitted",
        exchange=Exchange(question=TWO, answer=HASH),
    )
    put(
        connection,
        written(NotTaken(code="replayed", digest=HASH, question=ONE)),
        written(NotTaken(code="forged", digest=HASH)),
        written(denied),
    )
    assert list(exchanged(connection)) == [
        Exchanged(question=ONE, at=_at(), answer=None),
        Exchanged(question=TWO, at=_at(), answer=HASH),
    ]


def _at():
    return json.loads(written(intent()))["at"]


def test_some_sources_alone_may_be_meant(connection):
    put(
        connection,
        written(with_site(Exchange(question=ONE), source="Z9B02.epr")),
        written(with_site(Exchange(question=TWO), source="Z9C03.asc")),
    )
    assert pairs_of(connection, sources={"Z9C03.asc"}) == [(TWO, None)]


def test_a_record_kept_in_parts_is_read_whole(connection):
    stamp = Stamp(id="f" * 32, at=NOW, process="p")
    told = tuple(Exchange(question=f"{each:032x}", answer=HASH) for each in range(200))
    data = encoded(with_site(*told), stamp)
    parts = [each.decode() for each in parts_of(data, stamp, part_bytes=2048)]
    assert len(parts) > 10
    put(connection, written(intent()), *parts, written(intent()))
    assert pairs_of(connection) == [(each.question, each.answer) for each in told]


def test_a_long_trail_is_read_a_page_at_a_time(connection):
    texts = [
        written(with_site(Exchange(question=f"{each:032x}"))) for each in range(2_500)
    ]
    put(connection, *texts)
    assert len(pairs_of(connection)) == 2_500


def parts():
    stamp = Stamp(id="f" * 32, at=NOW, process="p")
    told = tuple(Exchange(question=f"{each:032x}") for each in range(100))
    data = encoded(with_site(*told), stamp)
    return [each.decode() for each in parts_of(data, stamp, part_bytes=2048)]


def spoilt(**changes):
    record = json.loads(written(with_site(Exchange(question=ONE, answer=HASH))))
    return json.dumps(record | changes, separators=(",", ":"))


TOLD = {"question": ONE}  # without which a record is passed over


def told_as(exchange):
    return spoilt(sources=[{"source": "s", "exchanges": [exchange]}], beside=TOLD)


def as_part(**changes):
    return json.dumps(json.loads(parts()[0]) | changes, separators=(",", ":"))


NO_TRAILS = {
    "no JSON": ['{"question":"'],
    "no array": ['["question":"'],
    "a list": ['[{"question":""}]'],
    "bytes": [b"\x00"],
    "a time that is none": [spoilt(at="2026-06-15")],
    "no time": [spoilt(at=None)],
    "a question of another form": [spoilt().replace(ONE, "x")],
    "an answer of another form": [spoilt().replace(HASH, "x")],
    "an exchange that is a text": [told_as("x")],
    "sources that are no list": [spoilt(sources=7, beside=TOLD)],
    "exchanges that are none": [
        spoilt(sources=[{"source": "s", "exchanges": None}], beside=TOLD)
    ],
    "parts that end early": parts()[:-1],
    "parts, and then another": [*parts()[:-1], spoilt()],
    "a part missing": [parts()[0], *parts()[2:]],
    "parts that begin late": parts()[1:],
    "parts of two": [parts()[0], parts()[1].replace("f" * 32, "e" * 32)],
    "a part without text": [as_part(text=7)],
}


@pytest.mark.parametrize("texts", NO_TRAILS.values(), ids=list(NO_TRAILS))
def test_what_is_no_trail_is_not_read_as_one(connection, texts):
    put(connection, *texts)
    with pytest.raises(NotReadable) as caught:
        list(exchanged(connection))
    assert ONE not in str(caught.value)


def test_parts_without_end_are_not_gathered(connection):
    one = json.loads(parts()[0]) | {"parts": 99, "text": "x" * 1_000_000}
    put(
        connection,
        *(
            json.dumps(one | {"part": each}, separators=(",", ":"))
            for each in range(1, 30)
        ),
    )
    with pytest.raises(NotReadable, match="too long"):
        list(exchanged(connection))
