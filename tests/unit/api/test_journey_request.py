"""A question's body becomes a Question, or is refused by place."""

import json
from datetime import date

import pytest

from adapters.contract import Identifier, Identifiers
from adapters.vocabulary import CATEGORIES
from gateway.api.journey_request import read_question
from gateway.journey.question import Claim, Require
from gateway.problems import RequestError
from gateway.settings import Limits
from tests.people import LOCAL, number

LEAST = {"nhs_number": number(0), "purpose": "direct-care"}


def read(body, *, strict=False, limits=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_question(data, strict=strict, limits=limits or Limits())


def refusal(body):
    with pytest.raises(RequestError) as caught:
        read(body)
    error = caught.value
    return error.code, [(each.pointer, each.code) for each in error.errors]


def test_the_least_question_asks_everything_of_all_time():
    question = read(LEAST)
    assert question.person == Identifiers(nhs_number=number(0))
    assert (question.since, question.until) == (None, None)
    assert question.categories == CATEGORIES
    assert (question.require, question.min_sources) == (Require(), 0)
    assert (question.limit, question.deadline_s) == (5_000, 5.0)
    assert (question.strict, question.agreement, question.claim) == (False, None, None)


def test_a_whole_question_is_read_as_it_stands():
    question = read(
        {
            "identifier": {"system": LOCAL, "value": " L-0001 "},
            "purpose": "emergency-care",
            "since": "2024-02-29",
            "until": "2024-03-01",
            "categories": ["encounters", "encounters", "ambulance"],
            "require": {"sources": ["a"], "organisations": ["b"], "sectors": ["c"]},
            "min_sources": 2,
            "limit": 7,
            "deadline_ms": 1500,
            "agreement": "DSA-1",
            "relationship": {"kind": "self-claimed", "reason": "found in the street"},
        },
        strict=True,
    )
    assert question.person.others == {Identifier(LOCAL, "L-0001")}
    assert (question.since, question.until) == (date(2024, 2, 29), date(2024, 3, 1))
    assert question.categories == {"encounters", "ambulance"}
    assert question.require == Require(
        sources=frozenset("a"), organisations=frozenset("b"), sectors=frozenset("c")
    )
    assert (question.min_sources, question.limit) == (2, 7)
    assert (question.deadline_s, question.agreement) == (1.5, "DSA-1")
    assert question.claim == Claim(kind="self-claimed", reason="found in the street")
    assert question.strict


def test_nulls_are_as_if_left_out():
    nothing = dict.fromkeys(
        ["identifier", "since", "until", "categories", "require", "limit"]
    )
    assert read(LEAST | nothing) == read(LEAST)
    assert read(LEAST | {"require": {"sources": None}}) == read(LEAST)


@pytest.mark.parametrize(
    "system", ["https://fhir.nhs.uk/Id/nhs-number", "http://fhir.nhs.net/Id/nhs-number"]
)
def test_an_nhs_number_under_either_uri_is_an_nhs_number(system):
    digits = number(0)
    value = f"{digits[:3]} {digits[3:6]} {digits[6:]}"
    asked = {"identifier": {"system": system, "value": value}, "purpose": "direct-care"}
    assert read(asked) == read(LEAST)


def test_a_deadline_only_shortens():
    limits = Limits(journey_s=2)
    assert read(LEAST | {"deadline_ms": 5000}, limits=limits).deadline_s == 2
    assert read(LEAST | {"deadline_ms": 500}, limits=limits).deadline_s == 0.5
    assert read(LEAST, limits=limits).deadline_s == 2


@pytest.mark.parametrize(
    ("change", "code", "fields"),
    [
        ({"x": 1}, "request-invalid", [("", "unknown")]),
        ({"purpose": ""}, "purpose-missing", [("/purpose", "empty")]),
        ({"purpose": "treat"}, "purpose-unknown", [("/purpose", "unknown")]),
        ({"purpose": 1}, "purpose-missing", [("/purpose", "string-type")]),
        ({"since": "2024-1-1"}, "request-invalid", [("/since", "string-too-short")]),
        ({"since": "2024-13-01"}, "request-invalid", [("/since", "not-a-day")]),
        ({"until": "20240101xx"}, "request-invalid", [("/until", "not-a-day")]),
        ({"categories": ["x"]}, "request-invalid", [("/categories/0", "unknown")]),
        (
            {"nhs_number": "9" * 41},
            "request-invalid",
            [("/nhs_number", "string-too-long")],
        ),
        (
            {"nhs_number": "0" * 10},
            "identifier-invalid",
            [("/nhs_number", "not-an-nhs-number")],
        ),
        (
            {"nhs_number": ""},
            "identifier-invalid",
            [("/nhs_number", "not-an-nhs-number")],
        ),
        (
            {"min_sources": -1},
            "request-invalid",
            [("/min_sources", "greater-than-equal")],
        ),
        ({"min_sources": "1"}, "request-invalid", [("/min_sources", "int-type")]),
        (
            {"relationship": {"kind": "none", "reason": "x"}},
            "request-invalid",
            [("/relationship/kind", "literal-error")],
        ),
        (
            {"relationship": {"kind": "self-claimed"}},
            "request-invalid",
            [("/relationship/reason", "missing")],
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_place(change, code, fields):
    assert refusal(LEAST | change) == (code, fields)


@pytest.mark.parametrize(
    ("body", "code", "fields"),
    [
        (
            LEAST | {"since": "2024-03-01", "until": "2024-03-01"},
            "request-invalid",
            [("/until", "not-after-since")],
        ),
        (
            LEAST | {"relationship": {"kind": "self-claimed", "reason": "\t "}},
            "request-invalid",
            [("/relationship/reason", "empty")],
        ),
        (
            {"purpose": "direct-care"},
            "request-invalid",
            [("/nhs_number", "one-of"), ("/identifier", "one-of")],
        ),
        (
            LEAST | {"identifier": {"system": LOCAL, "value": "x"}},
            "request-invalid",
            [("/nhs_number", "one-of"), ("/identifier", "one-of")],
        ),
        (
            {
                "purpose": "direct-care",
                "identifier": {"system": LOCAL, "value": " \t"},
            },
            "identifier-invalid",
            [("/identifier/value", "empty")],
        ),
    ],
)
def test_what_does_not_fit_together_is_named(body, code, fields):
    assert refusal(body) == (code, fields)


def test_several_wrong_fields_are_all_named():
    code, fields = refusal(LEAST | {"limit": 0, "min_sources": "x", "y": 1})
    assert code == "request-invalid"
    assert sorted(fields) == [
        ("", "unknown"),
        ("/limit", "greater-than-equal"),
        ("/min_sources", "int-type"),
    ]


@pytest.mark.parametrize(
    ("data", "code", "field"),
    [
        (b"", "request-invalid", ("", "not-json")),
        (b"[]", "request-invalid", ("", "not-an-object")),
        (b'{"purpose":"a","purpose":"a"}', "purpose-missing", ("/purpose", "twice")),
        (b'{"limit":1,"limit":1}', "request-invalid", ("", "duplicate-name")),
        (b"\xef\xbb\xbf{}", "request-invalid", ("", "byte-order-mark")),
        (b'{"limit":1e999}', "request-invalid", ("", "not-a-number")),
        (b"\xff", "request-invalid", ("", "not-utf-8")),
    ],
)
def test_bytes_that_are_no_question_are_refused(data, code, field):
    assert refusal(data) == (code, [field])


def test_a_break_glass_token_is_carried_and_shown_nowhere():
    question = read(LEAST | {"break_glass": "bgl_a.b"})
    assert question.break_glass == "bgl_a.b"
    assert "bgl_a" not in repr(question)
