"""The extensions by which the NHS says more in STU3 than the standard has words for."""

import re
from collections.abc import Iterable
from typing import Final

from adapters.contract import Code
from adapters.fhir.elements import Concept, Element

# `…/Extension-CareConnect-GPC-ProblemSignificance-1` is ProblemSignificance here.
_SHORT: Final = re.compile(
    r".*/Extension-(?:eRS-)?(?:CareConnect-)?(?:GPC-)?(?P<name>[A-Za-z]+)(?:-\d+)?"
)


class Extended(Element, frozen=True, gc=False):
    """One extension with the sorts of value that are read."""

    url: str | None = None
    value_code: str | None = None
    value_string: str | None = None
    value_date_time: str | None = None
    value_instant: str | None = None
    value_coding: Code | None = None
    value_codeable_concept: Concept | None = None
    extension: "tuple[Extended, ...] | None" = None

    @property
    def text(self) -> str | None:
        """Its value where that is a plain word or a time."""
        return (
            self.value_code
            or self.value_string
            or self.value_date_time
            or self.value_instant
        )


def flattened(given: Iterable[Extended]) -> dict[str, Extended]:
    """Extensions by their short names, those within under both names run together.

    The first of a name stands.
    """
    found: dict[str, Extended] = {}
    for one in given:
        short = _SHORT.fullmatch(one.url or "")
        if short is None:
            continue
        found.setdefault(short["name"], one)
        for inner in one.extension or ():
            found.setdefault(f"{short['name']}{inner.url or ''}", inner)
    return found
