"""Questions about nobody, read strictly: who asks, what for, and whose data of what.

What the source would be is said too, or taken to be the plainest: one that labels its
records and states every flag, so that nothing is decided before it has answered.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from policies import vocabulary
from policies.reading import Node
from policies.request import Cell, FlagRegistration, Request

_REQUIRED: Final = ("owner", "category", "purpose", "recipient", "role", "assurance")
_OPTIONAL: Final = (
    *("operation", "mode", "agreement", "break_glass", "at", "labels", "flags"),
)
_EVIDENCE: Final = ("relationship", "relationships")  # the same, one of them
_LAPSED: Final = "stale:"
_EVIDENCES: Final = (
    *vocabulary.RELATIONSHIPS,
    *(f"{_LAPSED}{each}" for each in vocabulary.RELATIONSHIPS[:-1]),
)
_UNKNOWN: Final = "unknown"  # said, never assumed: an assurance that nobody knows
_REGISTRATIONS: Final[tuple[FlagRegistration, ...]] = ("states", "prefiltered", "none")
_LABELLED: Final = ("labelled", "unlabelled")
_NULLS: Final = ("null", "~")  # as YAML and JSON spell nothing: no name of anybody
_YES_OR_NO: Final = {"yes": True, "no": False, "true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """When it is asked where no time is said, and the flags that sources may state."""

    now: datetime
    flags: frozenset[str] = frozenset(vocabulary.FLAGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request for one cell."""

    request: Request
    cell: Cell


def keys_of(
    root: Node, *, required: Sequence[str] = (), optional: Sequence[str] = ()
) -> dict[str, Node]:
    """The values of a question's keys, and of these besides.

    Invalid for a key that is unknown or missing, and for evidence said twice.
    """
    got = root.fields(
        required=(*required, *_REQUIRED), optional=(*_OPTIONAL, *_EVIDENCE, *optional)
    )
    if not got.keys() & set(_EVIDENCE):
        root.field(_EVIDENCE[0])
    if set(_EVIDENCE) <= got.keys():
        raise got[_EVIDENCE[1]].invalid(f"is there as {_EVIDENCE[0]} too. Keep one.")
    return got


def read_asked(got: Mapping[str, Node], known: Known) -> Asked:
    """What the keys of a question ask.

    Invalid, with the place and the codes there are, for a value that is none.
    """
    (evidence,) = (got[name] for name in _EVIDENCE if name in got)
    request = Request(
        operation=_code(got.get("operation"), vocabulary.OPERATIONS),
        mode=_code(got.get("mode"), vocabulary.MODES),
        purpose=got["purpose"].code(tuple(vocabulary.PURPOSES)),
        agreement=_name(got["agreement"]) if "agreement" in got else None,
        recipient=_name(got["recipient"]),
        role=got["role"].code(vocabulary.ROLES),
        assurance=_assurance(got["assurance"]),
        relationships=_relationships(evidence),
        break_glass="break_glass" in got and yes_or_no(got["break_glass"]),
        now=got["at"].instant() if "at" in got else known.now,
    )
    labels = _code(got.get("labels"), _LABELLED)
    cell = Cell(
        owner=_name(got["owner"]),
        category=got["category"].code(vocabulary.CATEGORIES),
        labels="labelled" if labels == "labelled" else "unlabelled",
        flags=_flags(got.get("flags"), known.flags),
    )
    return Asked(request=request, cell=cell)


def words_of(node: Node) -> list[Node]:
    """The values of a list, or of a text that parts them by spaces or commas."""
    if isinstance(node.value, list):
        return node.entries()
    words = node.string().replace(",", " ").split()
    return [Node(each, node.where, node.path, node.pointer) for each in words]


def yes_or_no(node: Node) -> bool:
    """Yes or no, however it is spelt; nothing that merely looks like it."""
    said = node.string().casefold()
    if said not in _YES_OR_NO:
        raise node.invalid("must be yes or no.")
    return _YES_OR_NO[said]


def _code(node: Node | None, allowed: Collection[str]) -> str:
    """A code; where none is said, the first there is."""
    return next(iter(allowed)) if node is None else node.code(allowed)


def _assurance(node: Node) -> str | None:
    said = node.code((*vocabulary.ASSURANCE, _UNKNOWN))
    return None if said == _UNKNOWN else said


def _relationships(node: Node) -> frozenset[str]:
    found = frozenset(each.code(_EVIDENCES) for each in words_of(node))
    if not found:
        raise node.invalid(f"must name one: {', '.join(_EVIDENCES)}.")
    return found - {vocabulary.NO_RELATIONSHIP}


def _name(node: Node) -> str:
    said = node.string()
    is_sound = 1 <= len(said) <= 64 and said.isprintable() and said == said.strip()
    if not is_sound or said in _NULLS:
        message = "must be 1 to 64 printable characters. Leave it out if there is none."
        raise node.invalid(message)
    return said


def _flags(node: Node | None, known: frozenset[str]) -> dict[str, FlagRegistration]:
    """How the source registers each flag; those that are not said it states."""
    found: dict[str, FlagRegistration] = dict.fromkeys(sorted(known), "states")
    for said in [] if node is None else words_of(node):
        flag, _, how = said.string().partition("=")
        if vocabulary.CONSENT.fullmatch(flag) is None and flag not in vocabulary.FLAGS:
            allowed = ", ".join((*vocabulary.FLAGS, "consent:AGREEMENT"))
            message = f'must be flags, such as "ndo=none". Allowed: {allowed}.'
            raise said.invalid(message, code="unknown")
        if how not in _REGISTRATIONS:
            allowed = ", ".join(f"{flag}={each}" for each in _REGISTRATIONS)
            raise said.invalid(f"must be one of {allowed}.", code="unknown")
        found[flag] = how
    return found
