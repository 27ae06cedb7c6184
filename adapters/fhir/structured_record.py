"""A GP practice's whole structured record of one person, asked for at once.

GP Connect has no searches: one POST names the person in its body, and the areas of
the record that are wanted. No window goes with it, for the filters by date that areas
have differ in meaning and hide what has no date; it is applied here.
Source: GP Connect, Access Record: Structured, `$gpc.getstructuredrecord`, 1.x.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from adapters import nhs_number
from adapters.contract import Query
from adapters.errors import Refused, Unreadable
from adapters.fhir.areas import AREAS, Area
from adapters.fhir.found import Budget, Found, Question
from adapters.fhir.search import NobodyThere, NotSearchable, Server
from adapters.fhir.tables import kinds_of
from adapters.vocabulary import categories_of

NAME: Final = "$gpc.getstructuredrecord"
_OPERATION: Final = f"Patient/{NAME}"


def wanted(
    types: Iterable[str], categories: frozenset[str], sector: str
) -> tuple[Area, ...]:
    """The areas that bring records of these types in these categories."""
    asked = frozenset(
        name
        for name in types
        if categories_of(kinds_of(name, sector), sector) & categories
    )
    return tuple(area for area in AREAS if asked & frozenset(area.types))


def question(number: str, areas: Sequence[Area]) -> Question:
    """What to ask about the person with this NHS number; it stands in the body."""
    person = {"system": nhs_number.SYSTEM, "value": number}
    parameters = [
        {"name": "patientNHSNumber", "valueIdentifier": person},
        *(_parameter(area) for area in areas),
    ]
    body = {"resourceType": "Parameters", "parameter": parameters}
    return Question(
        name=NAME,
        parameters=(),
        operation=_OPERATION,
        body=msgspec.json.encode(body),
    )


def _parameter(area: Area) -> dict[str, object]:
    parts = [{"name": part, "valueBoolean": True} for part in area.parts]
    return {"name": area.parameter} | ({"part": parts} if parts else {})


async def fetched(
    server: Server, query: Query, areas: Sequence[Area], *, budget: Budget
) -> Found:
    """The record of the query's person; without a page where there is nobody such.

    AdapterError as for a search; Refused where the server has no such operation.
    """
    number = query.person.nhs_number
    if number is None:
        return Found(question=question("", ()))
    found = Found(question=question(number, areas))
    try:
        await server.search(found, budget)
    except NobodyThere:
        return found
    except NotSearchable as error:
        if error.reason != "not_found_type":
            raise
        message = "the source gives no structured records."
        raise Refused("unsupported", f"{message} Leave out ask_by.") from None
    if not any(page.persons for page in found.pages):
        message = "the source's record does not say whose it is. Report it to it."
        raise Unreadable("unreadable", message)
    return found


def unanswered(found: Found, areas: Iterable[Area]) -> list[str]:
    """Caveats for areas whose Lists did not come, and for warnings about any.

    A practice that cannot give an area leaves it out, and says so in an outcome that
    is only a warning; a journey without it is a part all the same.
    """
    if not found.pages:
        return []
    came = frozenset(code for page in found.pages for code in page.lists)
    warnings = sum(page.outcomes["warning"] for page in found.pages)
    missing = [area for area in areas if not came & frozenset(area.lists)]
    return ["type_failed"] * len(missing) + ["outcome_reported"] * warnings
