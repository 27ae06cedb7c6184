"""Lists of STU3: what they say is held back, and the records they alone contain.

GP Connect groups a person's records in Lists. A List also warns that something is
left out of it, and holds ended allergies within itself and nowhere else.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from adapters.fhir.elements import Concept, Resource, Typed
from adapters.fhir.extensions import Extended, flattened
from adapters.fhir.sketch import first_code

# Source: GP Connect, ListWarningCode. Any code that is not known is taken to mean
# that something may be missing, for that is all the list is for.
_WARNINGS: Final = {"confidential-items": "withheld_at_source"}
_OTHER: Final = "awaited_at_source"


class _Grouping(Resource, frozen=True, gc=False, kw_only=True):
    extension: tuple[Extended, ...] | None = None
    code: Concept | None = None


_GROUPING: Final = msgspec.json.Decoder(_Grouping)
_TYPED: Final = msgspec.json.Decoder(Typed)


class Grouped(msgspec.Struct, frozen=True, gc=False):
    """What one List says and holds."""

    code: str | None  # what sort of list it is
    caveats: tuple[str, ...]
    contained: tuple[tuple[str, msgspec.Raw], ...]

    def __repr__(self) -> str:
        return "Grouped()"


def grouped(written: msgspec.Raw) -> Grouped:
    """The caveats of a List, and its contained records, each with its type.

    Raises what is in BROKEN where it cannot be read.
    """
    given = _GROUPING.decode(written)
    return Grouped(
        code=first_code(given.code),
        caveats=tuple(_warnings(given)),
        contained=tuple(
            (typed.resource_type, raw)
            for raw in given.contained or ()
            if (typed := _TYPED.decode(raw)).resource_type
        ),
    )


def _warnings(given: _Grouping) -> Iterator[str]:
    # Several warnings stand beside each other, so each is looked at by itself.
    for one in given.extension or ():
        warning = flattened((one,)).get("ListWarningCode")
        if warning is not None and warning.text:
            yield _WARNINGS.get(warning.text, _OTHER)
