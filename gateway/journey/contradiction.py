"""Did a source, by its own word alone, tell of somebody else than it was asked about?

Only that counts against it. Where a record does not fit what other sources taught,
they may be wrong; where it was asked by what they taught, that may be.
"""

from collections.abc import Iterable

from adapters import nhs_number
from adapters.contract import Answer, Identifier, Identifiers
from gateway.journey.identity import Known, Subject, first_known, only


def contradicts(asked: Identifiers, answer: Answer, known: Known | None = None) -> bool:
    """Whether an answer names another than the person that its query named.

    What sources state to be one person's, as far as it is known, is one.
    """
    known = known or first_known(asked)
    asked = only(known.plain(asked.every))
    header = known.plain(answer.person.identifiers if answer.person else frozenset())
    if asked.nhs_number is not None and asked.nhs_number in _numbers(header):
        header = frozenset()  # it may know older numbers of theirs beside
    subjects = (known.plain(e.subject) for e in answer.events if e.subject)
    return any(_is_another(asked, each) for each in (header, *subjects))


def _is_another(asked: Identifiers, subject: Subject) -> bool:
    numbers = _numbers(subject)
    if numbers and asked.nhs_number is not None:
        return numbers != {asked.nhs_number}
    if subject & asked.others:
        return False
    return bool(_systems(subject) & _systems(asked.others))


def _numbers(subject: Subject) -> frozenset[str]:
    return frozenset(e.value for e in subject if e.system == nhs_number.SYSTEM)


def _systems(identifiers: Iterable[Identifier]) -> frozenset[str]:
    return frozenset(each.system for each in identifiers)
