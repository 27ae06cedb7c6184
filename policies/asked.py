"""A request against one set, as masks: what its cells share, worked out once."""

from collections.abc import Mapping
from functools import reduce
from operator import and_, or_
from typing import Final

from policies import vocabulary
from policies.compile import PolicySet
from policies.lines import NO, YES
from policies.pending import flag_mask, label_mask, planned_flags
from policies.request import Cell, FlagRegistration, Request

_STALE: Final = "stale:"


class Asked:
    """The lines that fit a request, and those that fit each of its cells."""

    __slots__ = (
        "_categories",
        "_owners",
        "_registered",
        "attributes",
        "cited",
        "evidence",
        "evidenced",
        "fits",
        "fitting",
        "lapsed",
        "policy_set",
        "relationships",
        "request",
        "signed",
        "valid",
    )

    def __init__(self, policy_set: PolicySet, request: Request) -> None:
        dimensions = policy_set.dimensions
        self.policy_set = policy_set
        self.request = request
        self.attributes = asserted(request)
        self.fits = {
            name: dimensions[name].at(value) for name, value in self.attributes.items()
        }
        self.fitting = reduce(and_, self.fits.values())
        self.cited = dimensions["agreements"].at(request.agreement)
        self.signed = policy_set.live.at(request.recipient)
        self.valid = policy_set.valid_at(request.now)
        relationships = dimensions["relationships"]
        self.relationships = evidenced(request)
        self.evidence = tuple(
            (each, relationships.at(each))
            for each in vocabulary.RELATIONSHIPS
            if each in self.relationships
        )
        # Of known codes alone: what is none is no evidence, and tries nothing.
        self.evidenced = reduce(or_, (under for _, under in self.evidence))
        self.lapsed = reduce(
            or_,
            (
                relationships.at(each.removeprefix(_STALE))
                for each in request.relationships
                if each.startswith(_STALE)
            ),
            0,
        )
        self._owners: dict[str, int] = {}
        self._categories = dimensions["categories"]
        self._registered: dict[
            tuple[str, int], tuple[Mapping[str, FlagRegistration], int]
        ] = {}

    def lines_of(self, cell: Cell) -> int:
        """The lines that fit the request and the cell, before flags and labels."""
        owned = self._owners.get(cell.owner)
        if owned is None:
            dimensions = self.policy_set.dimensions
            owned = self._owners[cell.owner] = (
                self.fitting
                & self.cited
                & self.signed
                & self.valid
                & dimensions["owner"].at(cell.owner)
                & dimensions["same_org"].at(same_organisation(self.request, cell))
            )
        return owned & self._categories.at(cell.category)

    def registered(self, cell: Cell) -> int:
        """The lines that fit how a cell's source registers flags and labels."""
        # By identity, as the cells of one source share its registration; the mapping
        # is kept, so that no other can come to have its identity.
        key = (cell.labels, id(cell.flags))
        found = self._registered.get(key)
        if found is None:
            # Read whole: what cannot be read fails here, and denies.
            planned = planned_flags(self.policy_set, dict(cell.flags.items()))
            mask = flag_mask(self.policy_set, planned) & self.labelled(cell)
            found = self._registered[key] = (cell.flags, mask)
        return found[1]

    def labelled(self, cell: Cell) -> int:
        """The lines that fit how a cell's source labels its records."""
        return label_mask(self.policy_set, known_labels(cell))


def known_labels(cell: Cell) -> tuple[str, ...]:
    """What is known of every item's labels before the source is asked."""
    # A source that labels leaves its labels pending: none hold yet.
    return () if cell.labels == "labelled" else (vocabulary.UNLABELLED,)


def asserted(request: Request) -> dict[str, str | None]:
    """The request's own attributes, by dimension; None where unknown."""
    return {
        "operations": request.operation,
        "modes": request.mode,
        "purposes": request.purpose,
        "recipients": request.recipient,
        "roles": request.role,
        "assurance": request.assurance,
        "break_glass": glass(request),
    }


def glass(request: Request) -> str | None:
    """Whether the glass is broken; None where what is said contradicts itself."""
    if request.break_glass is False:
        return NO
    # Broken glass is for individual care alone; with another purpose they contradict.
    is_true = request.break_glass is True
    return YES if is_true and request.purpose in vocabulary.INDIVIDUAL else None


def evidenced(request: Request) -> frozenset[str]:
    """The evidence to try; "none" is always among it, so evidence never refuses."""
    return request.relationships | {vocabulary.NO_RELATIONSHIP}


def same_organisation(request: Request, cell: Cell) -> str | None:
    """Whether the data are the caller's own organisation's; None if not known."""
    if not request.recipient or not cell.owner:
        return None
    return YES if request.recipient == cell.owner else NO
