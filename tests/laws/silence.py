"""No patient value in a log, an error or a repr: the names that may hold one.

A name is judged by its last part: `person.identifiers` is told, `event.kind` is not.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.laws.tree import Module, modules, name_of

BEARING = frozenset(
    {
        *("nhs_number", "number_asked", "nhs", "patient", "patient_id", "person"),
        *("identifier", "identifiers", "subject", "subjects", "others", "every"),
        *("birth_date", "postcode", "surname", "family", "given", "address"),
        *("event", "events", "answer", "record", "resource", "query", "question"),
        *("title", "display", "record_id", "local_id", "cell", "row_text", "body"),
        *("digits", "upstream", "payload", "raw", "secret_value"),
    }
)
REPR_BEARING = BEARING | {"value", "name", "text", "detail", "code", "element_value"}

LOG_CALLS = frozenset(
    {"debug", "info", "warning", "warn", "error", "exception", "critical", "bind"}
)
LOGGERS = frozenset({"log", "_log", "logger", "_logger", "logging", "structlog"})

# What these say of a value is not the value.
SAFE_CALLS = frozenset({"len", "type", "sum", "bool", "isinstance"})


def told(root: Path) -> list[str]:
    """Every place where a name that may hold a patient's value is told."""
    return [
        complaint
        for module in modules(root, "gateway", "adapters", "policies")
        for complaint in [*_logged(module), *_raised(module), *_shown(module)]
    ]


def _logged(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if not (isinstance(node, ast.Call) and _is_log(node.func)):
            continue
        named = [keyword.arg for keyword in node.keywords if keyword.arg in BEARING]
        said = [*node.args, *(keyword.value for keyword in node.keywords)]
        for name in [*named, *_bearing(said, BEARING)]:
            yield f"{module.at(node)}: logs {name}. Log its HMAC or its kind."


def _is_log(func: ast.expr) -> bool:
    if not (isinstance(func, ast.Attribute) and func.attr in LOG_CALLS):
        return False
    owner = func.value
    if isinstance(
        owner, ast.Call
    ):  # structlog.get_logger().info(…), log.bind().info(…)
        return _is_log(owner.func) or name_of(owner.func) in {"get_logger", "getLogger"}
    return name_of(owner) in LOGGERS


def _raised(module: Module) -> Iterator[str]:
    """f-strings inside a raise, and those kept in `message` for one."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Raise(exc=ast.expr() as said):
                pass
            case ast.Assign(targets=[ast.Name(id="message")], value=said):
                pass
            case _:
                continue
        for name in _bearing(_formatted(said), BEARING):
            yield f"{module.at(node)}: an error tells {name}. Tell place and remedy."


def _shown(module: Module) -> Iterator[str]:
    for function in module.functions:
        if function.name not in {"__repr__", "__str__", "__rich_repr__"}:
            continue
        for name in _bearing(_formatted(function), REPR_BEARING):
            yield f"{module.at(function)}: a repr tells {name}. Tell its kind."


def _formatted(node: ast.AST) -> Iterator[ast.expr]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.FormattedValue):
            yield inner.value
        elif isinstance(inner, ast.Call) and name_of(inner.func) == "format":
            yield from inner.args
            yield from (keyword.value for keyword in inner.keywords)


def _bearing(said: Iterable[ast.expr], names: frozenset[str]) -> Iterator[str]:
    for node in said:
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name in names:
                yield name
            case ast.Name() | ast.Attribute():
                pass
            case ast.Call(func=func) if name_of(func) in SAFE_CALLS:
                pass
            case ast.Compare() | ast.Lambda():
                pass
            case _:
                yield from _bearing(_parts(node), names)


def _parts(node: ast.AST) -> Iterator[ast.expr]:
    for inner in ast.iter_child_nodes(node):
        if isinstance(inner, ast.expr):
            yield inner
        elif isinstance(inner, ast.keyword | ast.comprehension):
            yield from _parts(inner)
