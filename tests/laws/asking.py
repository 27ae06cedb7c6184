"""Sources are asked in one place: after the intent, and told after the outcome."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from tests.laws.tree import PACKAGES, PRODUCT, Function, Module, modules, name_of

ASKER = Path("gateway/journey/ask.py")
# Where the fan-out's questions are put, one at a time.
CALLER = Path("gateway/journey/calling.py")
PATH = Path("gateway/journey/inquiry.py")
# Looks for evidence before the question, with an intent and an outcome of its own.
EVIDENCE = Path("gateway/journey/evidence.py")
# Looks for people by demographics after the question, with records of its own too.
LIKENESS = Path("gateway/journey/likeness.py")
ASKS = {"ask_all", "match_all"}
# Benchmarks stand outside: they time an adapter about people they made themselves.
SERVED = (*PACKAGES, "examples")
# Asks adapters on behalf of their authors, before any of them is a source.
SUITE = Path("adapters/conformance")
# Asks one source whether it is ready: about people who do not exist, or a synthetic
# one whom the trail names first. What is answered is judged, and shown to nobody.
CHECK = Path("gateway/checking/asking.py")
# Asks on behalf of a gateway whose question it verified and whose grant it narrowed;
# intent, asking and outcome stand in order there too.
SITE = Path("gateway/site/answering.py")
# The adapter that the guide shows: it is asked, and lets memory answer for it.
SHOWN = Path("examples/json_lines/json_lines.py")
MAY = frozenset({CALLER, CHECK, SITE, SHOWN})
# An adapter's own parts may have a `trace` of theirs.
TRACING = Path("gateway")


def asked_elsewhere(root: Path) -> list[str]:
    """Calls and references of `.ask` and `.trace` outside the fan-out."""
    return [
        f"{module.at(node)}: asks a source. Only {ASKER} may, through {CALLER}."
        for module in modules(root, *SERVED)
        if module.path not in MAY and SUITE not in module.path.parents
        for node in ast.walk(module.tree)
        if _asks(node, module.path)
    ]


def _asks(node: ast.AST, path: Path) -> TypeGuard[ast.Attribute | ast.ImportFrom]:
    if isinstance(node, ast.Attribute):
        is_gateway = TRACING in path.parents
        return node.attr == "ask" or (node.attr == "trace" and is_gateway)
    if isinstance(node, ast.ImportFrom) and path != ASKER:
        named = {each.name for each in node.names}
        return node.module == "gateway.journey.calling" and bool(
            named & {"call", "trace", "likenesses"}
        )
    return False


def unaudited(root: Path) -> list[str]:
    """Fan-outs that are not preceded by a durable intent and followed by an outcome."""
    return [
        complaint
        for module in modules(root, *PRODUCT)
        if module.path != ASKER
        for complaint in _unaudited(module)
    ]


def _unaudited(module: Module) -> Iterator[str]:
    """What asks may be called by one function of the path, itself called by another.

    That other, statement by statement and under no condition: intent, ask, outcome.
    """
    functions = {each.name: each for each in module.functions}
    askers = {n for n, f in functions.items() if _calls(f, ASKS)}
    if askers and module.path not in {PATH, EVIDENCE, LIKENESS}:
        yield f"{module.path}: fans out. Only {PATH}, {EVIDENCE} and {LIKENESS} may."
        return
    for function in functions.values():
        steps = list(_steps(function, askers, functions))
        for nth, step in enumerate(steps):
            if step != "ask":
                continue
            if "intent" not in steps[:nth]:
                yield f"{module.at(function)}: asks before the intent is durable."
            if "outcome" not in steps[nth + 1 :]:
                yield f"{module.at(function)}: tells before the outcome is durable."
        if "ask" not in steps and _calls(function, askers):
            yield f"{module.at(function)}: asks under a condition."


def _steps(
    function: Function, askers: set[str], functions: dict[str, Function]
) -> Iterator[str]:
    """What each plain statement does, where it is one of the three."""
    for statement in function.body:
        if not isinstance(
            statement, ast.Expr | ast.Assign | ast.AnnAssign | ast.Return
        ):
            continue
        called = _called(statement)
        if called & askers:
            yield "ask"
        for record in ("intent", "outcome"):
            durable = _is_durable(statement, record)
            inner = [functions[n] for n in called - askers if n in functions]
            if durable or any(
                _is_durable(each, record) for f in inner for each in f.body
            ):
                yield record


def _is_durable(statement: ast.stmt, record: str) -> bool:
    """Whether a plain statement awaits the appending of a record of this name."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Await)
        and {"append", record} <= _called(statement)
    )


def _called(node: ast.AST) -> set[str]:
    calls = (each for each in ast.walk(node) if isinstance(each, ast.Call))
    return {name_of(call.func) for call in calls}


def _calls(function: Function, names: set[str]) -> bool:
    return bool(_called(function) & names)
