"""A compiled set as Cedar policies with their schema, and questions to ask of them.

Cedar knows neither obligations nor "unknown". So constraints are a second text, whose
forbids tell which of them hold; and what is not known is left out of the context: a
grant asks that an attribute is there, a veto or constraint holds where it is not.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from policies import vocabulary
from policies.canonical import canonical_json
from policies.compile import PolicySet
from policies.lines import NO, YES, Line
from policies.obligations import AXES, FULL_VIEW, View
from policies.pending import FlagState
from policies.request import Cell, Request

_NAMESPACE: Final = "Throughline"
_UNKNOWN: Final = ""  # an operation or organisation that is not known; no code is empty


@dataclass(frozen=True, slots=True, kw_only=True)
class CedarTexts:
    """One set: each policy has its authority as `@id`.

    `constraints` forbid where a constraint holds, and only tell that it does: they
    are no part of `policies`.
    """

    schema: str
    grants: str
    vetoes: str
    constraints: str

    @property
    def policies(self) -> str:
        """The grants and vetoes that together permit or deny."""
        return self.grants + self.vetoes


@dataclass(frozen=True, slots=True)
class _Attribute:
    """A dimension that is an attribute of the context, and what its codes are."""

    name: str
    entity: str | None  # the enumerated type; None: text, which no list can close


_ATTRIBUTES: Final[Mapping[str, _Attribute]] = {
    "purposes": _Attribute("purpose", "Purpose"),
    "modes": _Attribute("mode", "Mode"),
    "roles": _Attribute("role", "Role"),
    "assurance": _Attribute("assurance", "Assurance"),
    "relationships": _Attribute("relationship", "Relationship"),
    "categories": _Attribute("category", "Category"),
    "agreements": _Attribute("agreement", None),
}
_ENUMERATED: Final[Mapping[str, tuple[str, ...]]] = {
    "Purpose": tuple(vocabulary.PURPOSES),
    "Mode": vocabulary.MODES,
    "Role": vocabulary.ROLES,
    "Assurance": vocabulary.ASSURANCE,
    "Relationship": vocabulary.RELATIONSHIPS,
    "Category": vocabulary.CATEGORIES,
    "Label": (*vocabulary.CLEARABLE, vocabulary.UNRECOGNISED),
}
_UNSURE: Final = (vocabulary.UNLABELLED, vocabulary.UNRECOGNISED)


def cedar_texts(policy_set: PolicySet) -> CedarTexts:
    """The set's policies, its constraints and the schema of both.

    A grant that nobody may use, unsigned or suspended, is a comment alone.
    """
    by_effect: dict[str, list[str]] = {"grant": [], "veto": [], "constrain": []}
    for line in policy_set.lines:
        by_effect[line.effect].append(_policy(line))
    head = f"// Throughline policy set {policy_set.version}\n"
    return CedarTexts(
        schema=head + _schema(),
        grants="\n".join([head, *by_effect["grant"], ""]),
        vetoes="\n".join([*by_effect["veto"], ""]),
        constraints="\n".join([head, *by_effect["constrain"]]),
    )


def cedar_request(
    request: Request,
    cell: Cell,
    *,
    relationship: str,
    flags: Mapping[str, FlagState],
    labels: Iterable[str],
) -> dict[str, object]:
    """The question in the form that Cedar's libraries take, under one relationship.

    `flags`: what is known of each; unknown ones count as not named. `labels` are of
    the closed list, as they stand after a source's own were understood.
    """
    is_asked = request.operation in vocabulary.OPERATIONS
    operation = request.operation if is_asked else _UNKNOWN
    known = {
        "purposes": request.purpose,
        "modes": request.mode,
        "roles": request.role,
        "assurance": request.assurance,
        "relationships": relationship,
        "categories": cell.category,
        "agreements": request.agreement,
    }
    return {
        "principal": _entity("Organisation", request.recipient),
        "action": _entity("Action", operation),
        "resource": _entity("Organisation", cell.owner),
        "context": {
            **_context(known),
            **_glass(request),
            "now": {"__extn": {"fn": "datetime", "arg": _instant(request.now)}},
            "labels": [{"__entity": _entity("Label", label)} for label in labels],
            **{
                state: sorted(flag for flag, held in flags.items() if held == state)
                for state in ("present", "absent", "pending")
            },
        },
    }


def _context(known: Mapping[str, str | None]) -> dict[str, object]:
    context: dict[str, object] = {}
    for dimension, value in known.items():
        attribute = _ATTRIBUTES[dimension]
        if attribute.entity is None:
            if value:
                context[attribute.name] = value
        elif value in _ENUMERATED[attribute.entity]:
            context[attribute.name] = {"__entity": _entity(attribute.entity, value)}
    return context


def _glass(request: Request) -> dict[str, object]:
    # Broken glass is for individual care alone; with another purpose they contradict.
    if request.break_glass is False:
        return {"break_glass": False}
    is_broken = request.break_glass is True
    is_care = request.purpose in vocabulary.INDIVIDUAL
    return {"break_glass": True} if is_broken and is_care else {}


def _entity(kind: str, code: str | None) -> dict[str, str]:
    return {"type": f"{_NAMESPACE}::{kind}", "id": code or _UNKNOWN}


def _policy(line: Line) -> str:
    about = [f"@id({_quoted(line.authority)})", f"@why({_quoted(line.why)})"]
    if line.is_silent:
        about.append("@silent")
    if line.view != FULL_VIEW:
        about.append(f"@obligations({_quoted(canonical_json(_demands(line.view)))})")
    if line.effect == "grant":
        if not line.signed:
            return f"// not in force: {line.authority}\n"
        effect, tests = "permit", _grant_tests(line)
    else:
        effect, tests = "forbid", _rule_tests(line)
    condition = "\n  && ".join(f"({test})" for test in tests) or "true"
    head = f"{effect} (principal, action, resource)"
    return "\n".join([*about, head, f"when {{\n  {condition}\n}};", ""])


def _demands(view: View) -> dict[str, object]:
    """What a view demands, by axis, for whoever reads it: Cedar does not."""
    return {
        axis: sorted(held) if isinstance(held, frozenset) else held
        for axis in AXES
        if axis in view.axes
        for held in (getattr(view, axis),)
    }


def _grant_tests(line: Line) -> list[str]:
    """What a grant asks: everything with a known value, and nothing against it."""
    accepts = dict(line.accepts)
    accepts["recipients"] &= line.signed
    tests = [
        _within(dimension, values, is_grant=True)
        for dimension, values in sorted(accepts.items())
    ]
    if line.begins is not None:
        tests.append(f"context.now >= {_datetime(line.begins)}")
    if line.ends is not None:
        tests.append(f"context.now < {_datetime(line.ends)}")
    tests += [_settled(flag, "absent") for flag in sorted(line.honours)]
    tests += [_settled(flag, "present") for flag in sorted(line.requires)]
    tests.append(
        f"{_codes('Label', line.cleared)}.containsAll(context.labels)"
        if line.cleared
        else "context.labels.isEmpty()"
    )
    return tests


def _rule_tests(line: Line) -> list[str]:
    """What a veto or constraint asks: each test holds, or cannot be answered."""
    tests = [
        _within(dimension, values, is_grant=False)
        for dimension, values in sorted(line.accepts.items())
    ]
    if line.flags_any is not None:
        open_flags = (f"!({_settled(f, 'absent')})" for f in sorted(line.flags_any))
        tests.append(" || ".join(open_flags))
    if line.labels_any is not None:
        labels = _codes("Label", {*line.labels_any, *_UNSURE})
        tests.append(f"context.labels.containsAny({labels})")
    return tests


def _within(dimension: str, values: frozenset[str], *, is_grant: bool) -> str:
    if dimension == "operations":
        asked = values if is_grant else {*values, _UNKNOWN}
        return f"action in {_codes('Action', asked)}"
    if dimension in {"recipients", "owner"}:
        party = "principal" if dimension == "recipients" else "resource"
        parties = values if is_grant else {*values, _UNKNOWN}
        return f"{_codes('Organisation', parties)}.contains({party})"
    if dimension == "same_org":
        return _same_organisation(values)
    if dimension == "break_glass":
        return _broken(values, is_grant=is_grant)
    attribute = _ATTRIBUTES[dimension]
    named = _codes(attribute.entity, values)
    # Citing no agreement is the caller's right and hides no grant.
    otherwise = "true" if dimension == "agreements" or not is_grant else "false"
    has, value = f"context has {attribute.name}", f"context.{attribute.name}"
    return f"if {has} then {named}.contains({value}) else {otherwise}"


def _same_organisation(values: frozenset[str]) -> str:
    compared = [
        f"principal {sign} resource"
        for answer, sign in ((YES, "=="), (NO, "!="))
        if answer in values
    ]
    unknown = f'{_NAMESPACE}::Organisation::""'
    return " || ".join([*compared, f"principal == {unknown}", f"resource == {unknown}"])


def _broken(values: frozenset[str], *, is_grant: bool) -> str:
    answers = {YES: "true", NO: "false"}
    named = ", ".join(answers[value] for value in sorted(values))
    otherwise = "false" if is_grant else "true"
    test = f"[{named}].contains(context.break_glass)"
    return f"if context has break_glass then {test} else {otherwise}"


def _settled(flag: str, wanted: str) -> str:
    named = _quoted(flag)
    return f"context.{wanted}.contains({named}) || context.pending.contains({named})"


def _codes(entity: str | None, values: Iterable[str]) -> str:
    kind = "" if entity is None else f"{_NAMESPACE}::{entity}::"
    return "[" + ", ".join(f"{kind}{_quoted(value)}" for value in sorted(values)) + "]"


def _datetime(at: datetime) -> str:
    return f"datetime({_quoted(_instant(at))})"


def _instant(at: datetime) -> str:
    # Cedar counts milliseconds. Periods begin and end on whole seconds, so that
    # leaving the rest of a millisecond out moves no instant across an end.
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + (
        f"{at.microsecond // 1000:03d}Z"
    )


def _quoted(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return (
        '"'
        + "".join(
            each if each.isprintable() else f"\\u{{{ord(each):x}}}" for each in plain
        )
        + '"'
    )


def _schema() -> str:
    enumerated = [
        f"  entity {name} enum {json.dumps(sorted(codes))};"
        for name, codes in _ENUMERATED.items()
    ]
    operations = ", ".join(_quoted(code) for code in (*vocabulary.OPERATIONS, ""))
    attributes = [
        f"      {each.name}?: {each.entity or 'String'},"
        for each in _ATTRIBUTES.values()
    ]
    return "\n".join(
        [
            f"namespace {_NAMESPACE} {{",
            "  entity Organisation;",
            *enumerated,
            f"  action {operations} appliesTo {{",
            "    principal: Organisation,",
            "    resource: Organisation,",
            "    context: {",
            *attributes,
            "      break_glass?: Bool,",
            "      now: datetime,",
            "      labels: Set<Label>,",
            "      present: Set<String>,",
            "      absent: Set<String>,",
            "      pending: Set<String>,",
            "    },",
            "  };",
            "}",
            "",
        ]
    )
