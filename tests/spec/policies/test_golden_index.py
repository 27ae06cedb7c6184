"""Each golden scenario of policy has a test that bears its number."""

import ast
import re

from tests.corpus import ROOT
from tests.laws.tree import modules

GOLDEN = frozenset(range(1, 41))
IN_NAMES = re.compile(r"(?<=_)g(\d\d)(?:_to_g(\d\d))?(?=_)")
IN_SENTENCES = re.compile(r"\bG(\d{1,2})\b")


def numbers(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[int]:
    """The scenarios that a test names, in its name or its docstring."""
    if not function.name.startswith("test_"):
        return set()
    found = {int(n) for n in IN_SENTENCES.findall(ast.get_docstring(function) or "")}
    for first, last in IN_NAMES.findall(function.name):
        found |= set(range(int(first), int(last or first) + 1))
    return found


def test_every_golden_scenario_has_its_test():
    named = {
        number
        for module in modules(ROOT, "tests")
        for function in module.functions
        for number in numbers(function)
    }
    assert sorted(GOLDEN - named) == []
    assert sorted(named - GOLDEN) == []
