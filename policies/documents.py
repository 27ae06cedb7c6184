"""Documents of policy: read strictly, and hashed so that a signature fits one text."""

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from typing import Any, Final, TypeVar, cast

from policies import vocabulary
from policies.canonical import sha256_of
from policies.clauses import (
    Agreement,
    Clause,
    Document,
    Exemption,
    LegalBasis,
    LocalRule,
    Parties,
    Period,
    Rule,
    Signature,
    When,
)
from policies.obligations import AXES, FULL_VIEW, View
from policies.reading import Node

__all__ = [
    "Agreement",
    "Clause",
    "Document",
    "LocalRule",
    "Rule",
    "Signature",
    "as_data",
    "content_hash",
    "parse_document",
]

_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ID_MEANS: Final = "1 to 64 letters, digits, dots, hyphens or underscores"
_ODS: Final = re.compile(r"[A-Za-z0-9]{2,12}")
_ODS_MEANS: Final = "an ODS code: 2 to 12 letters and digits, quoted"
_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")
_YEARS: Final = 3
# One document is bounded, so that nobody's fills the set or the gate for all.
MOST_PARTS: Final = 500  # clauses of an agreement, or rules of a local rule
MOST_PROVIDERS: Final = 250  # each of whom a change is examined for by itself
MOST_GRANTS: Final = 5_000  # clauses times providers: each is a line of the set

_Part = TypeVar("_Part", Clause, Rule)

_KIND_OF: Final = {
    Agreement: "agreement",
    LocalRule: "local-rule",
    Signature: "signature",
}


def parse_document(
    data: Mapping[str, object], *, where: str
) -> Agreement | LocalRule | Signature:
    """The document that JSON or string-only YAML holds.

    Invalid, naming the place from `where` on ("a.yaml: clauses[0].roles[1]") and
    what would be right, for anything unknown, missing, misspelt or of another type.
    """
    root = Node(data, where)
    kind = root.field("kind").code(tuple(_KIND_OF.values()))
    readers: dict[str, Callable[[Node], Agreement | LocalRule | Signature]] = {
        "agreement": _agreement,
        "local-rule": _local_rule,
        "signature": _signature,
    }
    return readers[kind](root)


def as_data(document: Agreement | LocalRule | Signature) -> dict[str, object]:
    """The document as plain data: lists sorted and unique, what is default left out."""
    plain = cast("dict[str, object]", _plain(document))
    return {"kind": _KIND_OF[type(document)], **plain}


def view_as_data(view: View) -> dict[str, object]:
    """The axes of a view on which something is demanded, as a document states them."""
    return cast("dict[str, object]", _plain(view))


def read_view(data: object, *, where: str) -> View:
    """The view of plain data. Invalid, with its place, for what is none."""
    return _view(Node(data, where))


def content_hash(
    document: Agreement | LocalRule | Signature | Mapping[str, object],
) -> str:
    """The "sha256:…" of the canonical JSON; raw data is read first."""
    if isinstance(document, Mapping):
        document = parse_document(document, where="document")
    return sha256_of(as_data(document))


def _agreement(root: Node) -> Agreement:
    got = root.fields(
        required=("kind", "id", "parties", "dpia", "review_by", "valid", "clauses")
    )
    identity = got["id"].matching(_ID, _ID_MEANS)
    parties = got["parties"].fields(required=("providers", "recipients"))
    providers = parties["providers"].names(_ODS, _ODS_MEANS)
    if len(providers) > MOST_PROVIDERS:
        message = f"lists more than {MOST_PROVIDERS}. Split the agreement."
        raise parties["providers"].invalid(message, code="too-large")
    if len(providers) * len(got["clauses"].entries()) > MOST_GRANTS:
        message = (
            f"clauses times providers are more than {MOST_GRANTS}. Split the agreement."
        )
        raise got["clauses"].invalid(message, code="too-large")
    return Agreement(
        id=identity,
        parties=Parties(
            providers=providers,
            recipients=parties["recipients"].names(_ODS, _ODS_MEANS),
        ),
        dpia=got["dpia"].text(),
        review_by=got["review_by"].day(),
        valid=_period(got["valid"]),
        clauses=_unique(got["clauses"], _clause),
    )


def _period(node: Node) -> Period:
    got = node.fields(required=("from", "through"))
    first, last = got["from"].day(), got["through"].day()
    if last < first:
        raise got["through"].invalid("ends before it starts. Put the later day here.")
    if last >= _anniversary(first):
        raise got["through"].invalid(f"lasts more than {_YEARS} years. Shorten it.")
    return Period(from_=first, through=last)


def _anniversary(first: date) -> date:
    if (first.month, first.day) == (2, 29):
        return date(first.year + _YEARS, 3, 1)
    return first.replace(year=first.year + _YEARS)


def _clause(node: Node) -> Clause:
    got = node.fields(
        required=(
            "id",
            "purposes",
            "legal_basis",
            "operations",
            "modes",
            "roles",
            "relationships",
            "assurance",
            "categories",
            "why",
        ),
        optional=(
            "cleared_labels",
            "honours",
            "obligations",
            "break_glass",
            "exemption",
        ),
    )
    return Clause(
        id=got["id"].matching(_ID, _ID_MEANS),
        purposes=got["purposes"].codes(tuple(vocabulary.PURPOSES)),
        legal_basis=_legal_basis(got["legal_basis"]),
        operations=got["operations"].codes(vocabulary.OPERATIONS),
        modes=got["modes"].codes(vocabulary.MODES),
        roles=got["roles"].codes(vocabulary.ROLES),
        relationships=got["relationships"].codes(vocabulary.RELATIONSHIPS),
        assurance=got["assurance"].codes(vocabulary.ASSURANCE),
        categories=got["categories"].codes(vocabulary.CATEGORIES),
        why=got["why"].text(),
        **_clause_options(got),
    )


def _clause_options(got: Mapping[str, Node]) -> dict[str, Any]:
    readers: dict[str, Callable[[Node], object]] = {
        "cleared_labels": lambda node: node.codes_or_none(vocabulary.CLEARABLE),
        "honours": lambda node: node.codes_or_none(vocabulary.FLAGS),
        "obligations": _view,
        "break_glass": lambda node: node.code(("both", "only")),
        "exemption": _exemption,
    }
    return {key: read(got[key]) for key, read in readers.items() if key in got}


def _legal_basis(node: Node) -> LegalBasis:
    got = node.fields(
        required=("art6", "art9", "confidentiality"), optional=("evidence",)
    )
    return LegalBasis(
        art6=got["art6"].code(vocabulary.ART6),
        art9=got["art9"].code(vocabulary.ART9),
        confidentiality=got["confidentiality"].code(vocabulary.CONFIDENTIALITY),
        evidence=got["evidence"].text() if "evidence" in got else None,
    )


def _exemption(node: Node) -> Exemption:
    got = node.fields(required=("code", "evidence"))
    return Exemption(
        code=got["code"].code(vocabulary.EXEMPTIONS), evidence=got["evidence"].text()
    )


def _view(node: Node) -> View:
    readers: dict[str, Callable[[Node], object]] = {
        "hide_fields": lambda held: held.codes_or_none(vocabulary.FIELDS),
        "mask_fields": _masks,
        "date_grain": lambda held: held.code(vocabulary.DATE_GRAINS),
        "max_age_days": lambda held: held.whole(least=1),
        "min_count": lambda held: held.whole(least=0),
        "row_filters": lambda held: held.codes_or_none(vocabulary.FLAGS),
        "no_onward": Node.truth,
        "retain_seconds": lambda held: held.whole(least=0),
        "notify": lambda held: held.codes_or_none(vocabulary.NOTIFIED),
        "justify": Node.truth,
    }
    got = node.fields(required=(), optional=AXES)
    demanded: dict[str, Any] = {axis: readers[axis](held) for axis, held in got.items()}
    return View(**demanded)


def _masks(node: Node) -> frozenset[tuple[str, str]]:
    got = node.fields(required=(), optional=vocabulary.FIELDS)
    levels = {name: held.code(vocabulary.MASK_LEVELS) for name, held in got.items()}
    return frozenset(
        pair for pair in levels.items() if pair[1] != vocabulary.MASK_LEVELS[0]
    )


def _local_rule(root: Node) -> LocalRule:
    got = root.fields(required=("kind", "id", "org", "rules"))
    return LocalRule(
        id=got["id"].matching(_ID, _ID_MEANS),
        org=got["org"].matching(_ODS, _ODS_MEANS),
        rules=_unique(got["rules"], _rule),
    )


def _rule(node: Node) -> Rule:
    got = node.fields(
        required=("id", "effect", "when", "overridable", "why"),
        optional=("obligations",),
    )
    effect = got["effect"].code(("veto", "constrain"))
    view = _view(got["obligations"]) if "obligations" in got else FULL_VIEW
    if effect == "veto" and "obligations" in got:
        raise got["obligations"].invalid("a veto has none. Remove it, or constrain.")
    if effect == "constrain" and view == FULL_VIEW:
        raise node.invalid("a constraint demands something. Add obligations.")
    return Rule(
        id=got["id"].matching(_ID, _ID_MEANS),
        effect="veto" if effect == "veto" else "constrain",
        when=_when(got["when"]),
        overridable=got["overridable"].truth(),
        why=got["why"].text(),
        obligations=view,
    )


def _when(node: Node) -> When:
    readers: dict[str, Callable[[Node], object]] = {
        "purposes": lambda held: held.codes(tuple(vocabulary.PURPOSES)),
        "operations": lambda held: held.codes(vocabulary.OPERATIONS),
        "modes": lambda held: held.codes(vocabulary.MODES),
        "agreements": lambda held: held.names(_ID, _ID_MEANS),
        "recipients": lambda held: held.names(_ODS, _ODS_MEANS),
        "roles": lambda held: held.codes(vocabulary.ROLES),
        "assurance": lambda held: held.codes(vocabulary.ASSURANCE),
        "relationships": lambda held: held.codes(vocabulary.RELATIONSHIPS),
        "categories": lambda held: held.codes(vocabulary.CATEGORIES),
        "same_org": Node.truth,
        "labels_any": lambda held: held.codes(
            (*vocabulary.CLEARABLE, vocabulary.UNRECOGNISED)
        ),
        "flags_any": _flags,
    }
    got = node.fields(required=(), optional=tuple(readers))
    tested: dict[str, Any] = {key: readers[key](held) for key, held in got.items()}
    return When(**tested)


def _flags(node: Node) -> frozenset[str]:
    consents = [
        str(held)
        for held in (entry.value for entry in node.entries())
        if vocabulary.CONSENT.fullmatch(str(held))
    ]
    return node.codes((*vocabulary.FLAGS, *consents))


def _signature(root: Node) -> Signature:
    got = root.fields(
        required=(
            "kind",
            "document",
            "hash",
            "organisation",
            "person",
            "capacity",
            "at",
        )
    )
    return Signature(
        document=got["document"].matching(_ID, _ID_MEANS),
        hash=got["hash"].matching(_HASH, '"sha256:" and 64 lower-case hex digits'),
        organisation=got["organisation"].matching(_ODS, _ODS_MEANS),
        person=got["person"].text(),
        capacity=got["capacity"].text(),
        at=got["at"].instant(),
    )


def _unique(node: Node, read: Callable[[Node], _Part]) -> tuple[_Part, ...]:
    parts: dict[str, _Part] = {}
    entries = node.entries()
    if len(entries) > MOST_PARTS:
        message = f"lists more than {MOST_PARTS}. Split the document."
        raise node.invalid(message, code="too-large")
    for entry in entries:
        part = read(entry)
        if part.id in parts:
            raise entry.invalid("its id is taken by an earlier one. Give it its own.")
        parts[part.id] = part
    if not parts:
        raise node.invalid("must list at least one.")
    # Order has no meaning, so documents that differ in it alone hash alike.
    return tuple(parts[key] for key in sorted(parts))


def _plain(value: object) -> object:
    match value:
        case datetime() | date():
            return value.isoformat()
        case frozenset():
            return _plain_set(value)
        case tuple():
            return [_plain(held) for held in value]
        case _ if is_dataclass(value):
            return {
                each.name.rstrip("_"): _plain(getattr(value, each.name))
                for each in fields(value)
                if each.default is MISSING or getattr(value, each.name) != each.default
            }
        case _:
            return value


def _plain_set(held: frozenset[Any]) -> object:
    ordered = sorted(held)
    return dict(ordered) if isinstance(ordered[0], tuple) else ordered
