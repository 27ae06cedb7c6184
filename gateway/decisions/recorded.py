"""The last decisions as they were recorded, for trying a draft on them."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TypeAlias

from sqlalchemy.engine import Connection

from gateway.audit.log import AuditUnavailable
from gateway.audit.records import Decided
from gateway.decisions.entries import Entry, newest
from gateway.decisions.explained import flags_of, request_of
from gateway.store.database import Database
from gateway.store.failures import FAILURES
from policies.analysis.replay import Effect, Recorded
from policies.request import Cell

# What tells one cell of a gateway from another: its source, how that stood
# registered, whose it is, and its category.
_Place: TypeAlias = tuple[str, str, str, tuple[str, ...], str]


async def last_recorded(database: Database, *, most: int) -> Sequence[Recorded]:
    """At most so many decided questions, the newest first; no person is in them.

    AuditUnavailable if the trail cannot be read.
    """
    try:
        return await database.read(partial(recorded, most=most))
    except FAILURES:
        raise AuditUnavailable("store") from None


def recorded(connection: Connection, *, most: int) -> list[Recorded]:
    """The same, of an open connection."""
    return recorded_of(newest(connection, most))


def recorded_of(entries: Iterable[Entry]) -> list[Recorded]:
    """The same, of decisions at hand, in their order."""
    known: dict[tuple[_Place, ...], tuple[Cell, ...]] = {}
    return [_recorded(entry, known) for entry in entries]


def _recorded(
    entry: Entry, known: dict[tuple[_Place, ...], tuple[Cell, ...]]
) -> Recorded:
    """One decision; questions of the same cells share them, and are replayed faster."""
    effects: dict[_Place, Effect] = dict(_effects(entry.decisions))
    places = tuple(sorted(effects))
    if places not in known:
        known[places] = tuple(_cell(each) for each in places)
    return Recorded(
        id=entry.decision,
        request=request_of(entry),
        cells=known[places],
        effects=tuple(effects[each] for each in places),
    )


def _effects(decisions: Iterable[Decided]) -> Iterable[tuple[_Place, Effect]]:
    for each in decisions:
        effect: Effect = "permit" if each.effect == "permit" else "deny"
        for category in each.categories:
            place = (each.source, each.organisation, each.labels, each.flags, category)
            yield place, effect


def _cell(place: _Place) -> Cell:
    _, owner, labels, flags, category = place
    return Cell(
        owner=owner,
        category=category,
        labels="labelled" if labels == "labelled" else "unlabelled",
        flags=flags_of(flags),
    )
