"""Every route knows who asks and decides, or stands on a written list."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.laws.tree import Function, Module, modules, name_of

METHODS = frozenset({"get", "post", "put", "patch", "delete"})

# Tells nothing of anybody, to anybody.
OPEN = frozenset({"/livez", "/readyz", "/problems/{code}", "/openapi.json"})
# Tells what is registered and what the caller may do, never of a person.
REGISTRY = frozenset({"/v1/sources", "/v1/sources/{source_id}", "/v1/purposes"})
# Tells what rules say of a caller, or what a caller declared: no source is asked.
OF_NO_SOURCE = frozenset(
    {
        "/v1/decisions/{decision_id}",
        "/v1/decisions/explain",
        "/v1/break-glass",
        "/v1/break-glass/{glass_id}",
        "/v1/break-glass/{glass_id}/review",
        "/v1/sources/{source_id}/findings",
        "/v1/sources/{source_id}/findings/search",
        "/v1/sources/{source_id}/clear",
        "/v1/sites",
        "/v1/sites/{site}/confirm",
        "/v1/sites/{site}/revoke",
    }
)

# Sites, and gateways of one store, come with what they sign themselves: no user asks,
# and what they carry is sealed.
CARRIED = "/v1/relay/"
ADMITS_CARRIERS = frozenset({"ticket_of", "handed"})

AUTHENTICATES = "requester_of"
# What is administered tells of no person: who asks needs a scope of their own.
ADMINISTERED = "/v1/admin/"
ADMITS = "administrator"
DECIDES = frozenset({"inquire"})


def undecided(root: Path) -> list[str]:
    """Routes that skip the caller, the decision, or the list."""
    return [
        complaint
        for module in modules(root, "gateway")
        for function in module.functions
        for path in _paths(function)
        for complaint in _complaints(module, function, path=path)
    ]


def _paths(function: Function) -> Iterator[str]:
    for decorator in function.decorator_list:
        match decorator:
            case ast.Call(
                func=ast.Attribute(attr=method, value=owner),
                args=[ast.Constant(value=str() as path), *_],
            ) if method in METHODS and name_of(owner) in {"router", "app"}:
                yield path
            case _:
                continue


def _complaints(module: Module, function: Function, *, path: str) -> Iterator[str]:
    if path in OPEN:
        return
    calls = _reached(function, {each.name: each for each in module.functions})
    if path.startswith(ADMINISTERED):
        if ADMITS not in calls:
            yield f"{module.at(function)}: {path} asks for no scope of its own."
        return
    if path.startswith(CARRIED):
        if not calls & ADMITS_CARRIERS:
            yield f"{module.at(function)}: {path} carries for anybody."
        return
    if AUTHENTICATES not in calls:
        yield f"{module.at(function)}: {path} does not ask who is asking."
    if path not in REGISTRY | OF_NO_SOURCE and not calls & DECIDES:
        yield f"{module.at(function)}: {path} decides nothing. Decide, or list it."


def _reached(function: Function, beside: dict[str, Function]) -> set[str]:
    """What a function calls, itself or through the functions of its own file."""
    reached: set[str] = set()
    waiting = [function]
    while waiting:
        calls = (n for n in ast.walk(waiting.pop()) if isinstance(n, ast.Call))
        fresh = {name_of(call.func) for call in calls} - reached
        reached |= fresh
        waiting += [beside[name] for name in fresh if name in beside]
    return reached
