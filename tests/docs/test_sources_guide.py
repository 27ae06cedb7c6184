"""The guides to sources name what a check can say, and show the example as it is."""

import re

import pytest

from gateway.checking import of_rows
from gateway.checking.maturity import CRITERIA
from gateway.onboarding.making import KINDS
from tests.corpus import ROOT

GUIDE = (ROOT / "docs" / "sources.md").read_text("utf-8")
ADAPTERS = (ROOT / "docs" / "adapters.md").read_text("utf-8")


@pytest.mark.parametrize("question", of_rows.QUESTIONS)
def test_every_question_about_rows_is_told(question):
    assert f"`{question}`" in GUIDE


def test_every_level_is_told():
    told = {int(n) for n in re.findall(r"^\| (\d) \|", GUIDE, re.MULTILINE)}
    assert told == {each.level for each in CRITERIA}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_that_can_be_looked_at_has_its_how_to(kind):
    headings = re.findall(r"^## (.+)$", GUIDE, re.MULTILINE)
    words = {"csv_drop": "CSV", "sql": "database", "fhir": "FHIR", "hl7v2": "HL7 v2"}
    assert any(words[kind] in each for each in headings)


def test_the_adapter_that_is_shown_is_the_one_that_is_tested():
    code = (ROOT / "examples" / "json_lines" / "json_lines.py").read_text("utf-8")
    assert f"```python\n{code}```" in ADAPTERS
