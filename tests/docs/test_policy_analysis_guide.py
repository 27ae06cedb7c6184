"""The guide to analysing policy names every code there is, and no other."""

import re

import pytest

from tests.corpus import ROOT

GUIDE = (ROOT / "docs" / "policy-analysis.md").read_text("utf-8")
SOURCES = "\n".join(
    path.read_text("utf-8") for path in (ROOT / "policies" / "analysis").glob("*.py")
)
SAID = re.compile(r'"(?:refuse|warn)",\s*(?:code,|"(\w+)"|_\w+)')
NAMED = re.compile(r'(?:_DEAD|_SHADOWED|_IDLE): Final = "(\w+)"|code = "(\w+)"')
WANTED = re.compile(r'": "(no_\w+)"')


def codes():
    found = [*SAID.findall(SOURCES), *WANTED.findall(SOURCES)]
    found += [one or other for one, other in NAMED.findall(SOURCES)]
    return sorted(
        {each for each in found if each} - {"warn"} | {"too_many_clauses", "schema"}
    )


def test_the_codes_are_found_at_all():
    assert len(codes()) >= 18


@pytest.mark.parametrize("code", codes())
def test_every_code_of_the_gate_is_in_the_guide(code):
    assert f"`{code}`" in GUIDE


def test_the_guide_names_no_code_that_there_is_not():
    rows = re.findall(r"^\| (`.*`) \|", GUIDE.partition("## The gate")[2], re.MULTILINE)
    told = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert told == set(codes())
