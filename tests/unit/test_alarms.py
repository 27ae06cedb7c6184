"""The process's own log holds listed keys alone, whatever a careless call says."""

import json

import pytest
import structlog

from gateway import alarms
from tests.people import number

NUMBER = number(0)


@pytest.fixture(autouse=True)
def _configured():
    alarms.configure()
    yield
    structlog.reset_defaults()


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_key_that_is_not_listed_is_dropped(capsys):
    structlog.get_logger().warning("odd", person=NUMBER, exc_info=NUMBER, source="s")
    (line,) = lines(capsys)
    assert set(line) == {"event", "level", "timestamp", "source"}
    assert NUMBER not in json.dumps(line)


def test_an_alarm_says_what_and_where_and_never_about_whom(capsys):
    alarms.raise_alarm("identity_mismatch", source="Z9A01.gp", count=2)
    (line,) = lines(capsys)
    del line["timestamp"]
    assert line == {
        "event": "identity_mismatch",
        "level": "error",
        "source": "Z9A01.gp",
        "count": 2,
    }


def test_a_defect_can_be_found_by_its_place(capsys):
    structlog.get_logger().error(
        "internal_error", request_id="r", error="KeyError", place="ask.py:1"
    )
    (line,) = lines(capsys)
    assert (line["request_id"], line["error"], line["place"]) == (
        "r",
        "KeyError",
        "ask.py:1",
    )


def test_what_is_merely_told_is_not_logged(capsys):
    structlog.get_logger().debug("nothing")
    assert lines(capsys) == []


def test_bound_values_pass_the_same_gate(capsys):
    structlog.get_logger().bind(identifier=NUMBER, code="x").info("bound")
    (line,) = lines(capsys)
    assert set(line) == {"event", "level", "timestamp", "code"}
