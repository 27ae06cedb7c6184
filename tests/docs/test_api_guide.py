"""docs/api.md tells of every route, field, header, state and status there is."""

import json
import re
from typing import get_args

import pytest

from gateway.api.document import openapi_of
from gateway.api.journey_request import JourneyRequest, read_question
from gateway.app import routes
from gateway.journey.journey import Level, State
from gateway.settings import Limits
from tests.corpus import ROOT

GUIDE = (ROOT / "docs" / "api.md").read_text("utf-8")
QUOTED = set(re.findall(r"`([^`\n]+)`", GUIDE))
DOCUMENT = openapi_of(routes())


@pytest.mark.parametrize(
    "route",
    [
        f"{method.upper()} {path}"
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
    ],
)
def test_every_route_is_told(route):
    assert route in QUOTED


def test_no_route_is_told_that_is_not_there():
    told = {each for each in QUOTED if re.fullmatch(r"[A-Z]+ /\S+", each)}
    there = {
        f"{method.upper()} {path}"
        for path, methods in DOCUMENT["paths"].items()
        for method in methods
    }
    assert told <= there


def test_every_operation_is_told_by_its_id():
    ids = {
        operation["operationId"]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
    }
    assert ids <= QUOTED


@pytest.mark.parametrize("field", JourneyRequest.model_fields)
def test_every_field_of_a_question_is_told(field):
    assert field in QUOTED


@pytest.mark.parametrize("code", [*get_args(State), *get_args(Level)])
def test_every_state_and_level_is_told(code):
    assert code in QUOTED


def test_every_status_of_a_journey_is_told():
    answers = DOCUMENT["paths"]["/v1/journeys"]["post"]["responses"]
    told = set(re.findall(r"^\| (\d{3}) \|", GUIDE, flags=re.MULTILINE))
    of_every_route = {"408", "413", "415", "500"}  # errors.md tells them
    assert told == set(answers) - of_every_route


@pytest.mark.parametrize(
    "header",
    ["Authorization", "Prefer", "NHSD-End-User-Organisation-ODS", "X-Request-ID"],
)
def test_every_header_is_told(header):
    assert header in QUOTED


def test_the_example_is_a_question():
    (example,) = re.findall(r"```json\n(.+?)```", GUIDE, flags=re.DOTALL)
    question = read_question(example.encode(), strict=False, limits=Limits())
    assert question.deadline_s == 2
    assert set(json.loads(example)) <= set(JourneyRequest.model_fields)
