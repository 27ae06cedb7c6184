"""One source made slow, broken or wrong, to see completeness at work."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from gateway.demo.chronicle import ORGANISATIONS, Entry, Organisation
from gateway.demo.population import numbers


class Fault(StrEnum):
    """What is the matter with a source, as its kind can have it.

    SLOW: a FHIR server waits before each answer, a database's view counts first, a
    drop came days late. BROKEN: the server is not there, the database is gone, the
    drop's directory is gone. WRONG: records of somebody else come back.
    """

    SLOW = "slow"
    BROKEN = "broken"
    WRONG = "wrong"


SLOW_S: Final = 8.0  # longer than any journey may take
LATE_DAYS: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """A fault of one source; `source` is its id, such as `Z9C03.epr`."""

    source: str
    fault: Fault

    def __post_init__(self) -> None:
        known = [organisation.source for organisation in ORGANISATIONS]
        if self.source not in known:
            message = f"no such source in the demo. Use one of {', '.join(known)}."
            raise ValueError(message)


def fault_of(breakages: Iterable[Breakage], organisation: Organisation) -> Fault | None:
    """The fault of an organisation's source, or None: the last one given counts."""
    fault = None
    for breakage in breakages:
        if breakage.source == organisation.source:
            fault = breakage.fault
    return fault


def misfiled(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Rows of which each person's last carries a stranger's NHS number.

    The row still has the person's local identifier, so that it is found, and must
    then be refused. The strangers' numbers are of nobody in the demo.
    """
    strangers = numbers(999_500_000)
    rows = list(entries)
    last = {entry.resident.number: n for n, entry in enumerate(rows)}
    for n in last.values():
        rows[n] = replace(rows[n], nhs_number=next(strangers))
    return tuple(rows)
