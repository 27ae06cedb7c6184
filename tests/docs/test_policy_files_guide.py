"""docs/policy-files.md names every key there is, and its table of rows is met."""

import re

import pytest

from gateway.policy_files import asking, expected, supposed_item
from policies import explain
from policies.vocabulary import RELATIONSHIPS
from tests.corpus import ROOT
from tests.filing import run

GUIDE = (ROOT / "docs" / "policy-files.md").read_text("utf-8")
KEYS = [
    *(*asking._REQUIRED, *asking._OPTIONAL, asking._EVIDENCE[0]),
    *(*supposed_item.COLUMNS, *expected.EFFECTS, *expected.CODES),
    *("name", "effect", "code", "authority"),
]


@pytest.mark.parametrize("key", KEYS)
def test_every_column_and_every_code_is_told(key):
    assert f"`{key}`" in GUIDE


def test_every_code_a_decision_can_have_may_be_expected():
    told = {explain.because(case, None).code for case in explain._SENTENCES}
    assert told | {"granted", "veto"} == set(expected.CODES)
    assert {f"stale:{each}" for each in RELATIONSHIPS[:-1]} < set(asking._EVIDENCES)


def test_the_rows_of_the_guide_are_met_by_its_example(tmp_path):
    (rows,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    path = tmp_path / "rows.yaml"
    path.write_text(rows, "utf-8")
    ran = run("test", ROOT / "examples" / "policy-files" / "policy", "--expect", path)
    assert ran.output == "1 of 1 as expected\n"
