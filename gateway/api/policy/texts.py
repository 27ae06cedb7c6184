"""Documents of policy as JSON: what is sent, what is taken, and how both are described.

Made from the very values that policy compiles, so that a key added there is at once
a field here. What is sent spells everything out, and is taken back as it stands.
"""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date
from types import NoneType, UnionType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from policies import vocabulary
from policies.clauses import (
    Agreement,
    Clause,
    Exemption,
    LegalBasis,
    LocalRule,
    Parties,
    Period,
    Rule,
    When,
)
from policies.obligations import FULL_VIEW, View

# What each part is called; a part that is sent in is called its "Draft".
_NAMES: Final[Mapping[type, str]] = {
    Agreement: "Agreement",
    Parties: "AgreementParties",
    Period: "AgreementPeriod",
    Clause: "AgreementClause",
    LegalBasis: "LegalBasis",
    Exemption: "OptOutExemption",
    LocalRule: "LocalRule",
    Rule: "Rule",
    When: "RuleCondition",
    View: "Obligations",
}
_KINDS: Final[Mapping[type, str]] = {Agreement: "agreement", LocalRule: "local-rule"}
_MASKS: Final = "FieldMasks"
_ENUMS: Final = {"break_glass": "BreakGlassUse", "effect": "RuleEffect"}
# The codes a text may hold today, by the name of its field.
_CODES: Final[Mapping[str, tuple[str, ...]]] = {
    "purposes": tuple(vocabulary.PURPOSES),
    "operations": vocabulary.OPERATIONS,
    "modes": vocabulary.MODES,
    "roles": vocabulary.ROLES,
    "relationships": vocabulary.RELATIONSHIPS,
    "assurance": vocabulary.ASSURANCE,
    "categories": vocabulary.CATEGORIES,
    "cleared_labels": vocabulary.CLEARABLE,
    "labels_any": (*vocabulary.CLEARABLE, vocabulary.UNRECOGNISED),
    "honours": vocabulary.FLAGS,
    "row_filters": vocabulary.FLAGS,
    "flags_any": vocabulary.FLAGS,
    "art6": vocabulary.ART6,
    "art9": vocabulary.ART9,
    "confidentiality": vocabulary.CONFIDENTIALITY,
    "code": vocabulary.EXEMPTIONS,
    "hide_fields": vocabulary.FIELDS,
    "date_grain": vocabulary.DATE_GRAINS,
    "notify": vocabulary.NOTIFIED,
}
_PLAIN: Final[Mapping[Any, dict[str, Any]]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    date: {"type": "string", "format": "date"},
}


def spelt_out(document: Agreement | LocalRule) -> dict[str, Any]:
    """The document with every field, those left at their default too.

    Null stands where a condition is not tested, and for obligations that demand
    nothing. Reading it back gives the same document, hence the same hash.
    """
    return {"kind": _KINDS[type(document)], **_spelt(document)}


def view_spelt_out(view: View) -> dict[str, Any]:
    """How data is shown, every axis said, also where nothing is demanded."""
    said = {each.name: _spelt(getattr(view, each.name)) for each in fields(view)}
    return said | {"mask_fields": dict(said["mask_fields"])}


def without_nulls(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """JSON as it was sent, less the keys that are null: those were left out."""
    if isinstance(value, dict):
        return {k: without_nulls(held) for k, held in value.items() if held is not None}
    if isinstance(value, list):
        return [without_nulls(held) for held in value]
    return value


def schemas() -> dict[str, dict[str, Any]]:
    """The components of documents, as they are sent and as they are taken."""
    found: dict[str, dict[str, Any]] = {
        _MASKS: {
            "type": "object",
            "description": "How much of a field is masked, by the field's name.",
            "additionalProperties": {
                "type": "string",
                "x-extensible-enum": list(vocabulary.MASK_LEVELS),
            },
        }
    }
    for part, name in _NAMES.items():
        found[name] = _schema(part, found, sent_in=False)
        found[f"{name}Draft"] = _schema(part, found, sent_in=True)
    return found


def _spelt(value: object) -> Any:  # noqa: ANN401 - any JSON value
    match value:
        case date():
            return value.isoformat()
        case frozenset():
            return sorted(value)
        case tuple():
            return [_spelt(held) for held in value]
        case View():
            return None if value == FULL_VIEW else view_spelt_out(value)
        case _ if is_dataclass(value):
            return {
                each.name.rstrip("_"): _spelt(getattr(value, each.name))
                for each in fields(value)
            }
        case _:
            return value


def _schema(
    part: type, found: dict[str, dict[str, Any]], *, sent_in: bool
) -> dict[str, Any]:
    """One component. What is sent in may leave out, or null, what has a default."""
    hints = get_type_hints(part)
    properties: dict[str, Any] = {}
    required = []
    if part in _KINDS:
        properties["kind"] = {
            "type": "string",
            "x-extensible-enum": [_KINDS[part]],
        }
        required.append("kind")
    for each in fields(part):
        name = each.name.rstrip("_")
        told = _typed(name, hints[each.name], found, sent_in=sent_in)
        optional = not _is_needed(each)
        if optional and (sent_in or each.default == FULL_VIEW):
            told = _or_null(told)
        properties[name] = told
        if not (optional and sent_in):
            required.append(name)
    schema: dict[str, Any] = {
        "type": "object",
        "description": (part.__doc__ or "").partition("\n")[0],
        "properties": properties,
        "required": required,
    }
    return schema | ({"additionalProperties": False} if sent_in else {})


def _is_needed(each: "Field[Any]") -> bool:
    return each.default is MISSING and each.default_factory is MISSING


def _or_null(told: dict[str, Any]) -> dict[str, Any]:
    return told if "anyOf" in told else {"anyOf": [told, {"type": "null"}]}


def _typed(
    name: str,
    hint: object,
    found: dict[str, dict[str, Any]],
    *,
    sent_in: bool,
) -> dict[str, Any]:
    origin, inside = get_origin(hint), get_args(hint)
    if name == "mask_fields":
        return _ref(_MASKS)
    if origin is UnionType:
        (one,) = (each for each in inside if each is not NoneType)
        return _or_null(_typed(name, one, found, sent_in=sent_in))
    if origin is Literal:
        found[_ENUMS[name]] = {"type": "string", "enum": list(inside)}
        return _ref(_ENUMS[name])
    if origin in (frozenset, tuple):
        return {
            "type": "array",
            "items": _typed(name, inside[0], found, sent_in=sent_in),
        }
    if isinstance(hint, type) and hint in _NAMES:
        return _ref(_NAMES[hint] + ("Draft" if sent_in else ""))
    codes = {"x-extensible-enum": list(_CODES[name])} if name in _CODES else {}
    return _PLAIN[hint] | codes


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}
