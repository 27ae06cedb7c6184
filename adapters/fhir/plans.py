"""How each type is asked for: by what the query wants and the server says it can."""

from collections.abc import Iterable
from dataclasses import dataclass

from adapters.contract import Query
from adapters.fhir.capabilities import Capabilities
from adapters.fhir.found import Parameters, Question
from adapters.fhir.resources import Patient
from adapters.fhir.tables import SEARCHED
from adapters.fhir.window import pushed


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one type is asked: in these ways together or, without or refused, plainly.

    `is_listed` is False where the server lists what it searches, and not this;
    `brings_references` where what its records refer to must come along with them.
    """

    plain: Question
    ways: tuple[Question, ...]
    is_listed: bool = True
    brings_references: bool = False


def plans_for(
    names: Iterable[str],
    query: Query,
    known: tuple[Patient, ...],
    *,
    server: Capabilities,
    page_size: int,
) -> list[Plan]:
    """What to ask of each of the types, dates apart, about the patients known."""
    people = ",".join(f"Patient/{patient.id}" for patient in known)
    plans: list[Plan] = []
    for name in names:
        plain = (
            (_person_parameter(name, server), people),
            ("_count", str(page_size)),
        )
        plans.append(
            Plan(
                plain=Question(name=name, parameters=plain, known=known),
                ways=tuple(
                    Question(
                        name=name,
                        parameters=plain + extra,
                        known=known,
                        is_dated=any(key == SEARCHED[name].date for key, _ in extra),
                    )
                    for extra in _extras(name, query, server)
                ),
                is_listed=server.may_search(name),
                brings_references=SEARCHED[name].include is not None,
            )
        )
    return plans


def _person_parameter(name: str, server: Capabilities) -> str:
    """`patient`, or `subject` on a server that has only that for the type."""
    own = SEARCHED[name].patient
    has_subject = not server.may_filter(name, own) and server.may_filter(
        name, "subject"
    )
    return "subject" if has_subject else own


def _extras(name: str, query: Query, server: Capabilities) -> list[Parameters]:
    """The narrow ways of asking: within the window, and what has no date at all.

    A date filter hides the undated, which must be counted; so they are asked for
    apart. Without a window, all is asked at once. None where the server says that
    it cannot filter by date: it is then asked for all, and the window applied here.
    """
    searched = SEARCHED[name]
    word = searched.include
    include = (("_include", word),) if word and server.may_include(name, word) else ()
    window = pushed(query, searched.date) if searched.date else ()
    if not window or searched.date is None:
        return [include]
    if not server.may_filter(name, searched.date):
        return []
    return [window + include, ((f"{searched.date}:missing", "true"), *include)]
