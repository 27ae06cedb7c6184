"""What was answered before, in the same question: it is not asked for again."""

from collections.abc import Iterable
from dataclasses import replace

from adapters.contract import Answer, Caveat, Query
from adapters.vocabulary import category_of
from gateway.journey.outcome import Reply
from gateway.sources import Source


def in_hand(
    source: Source, query: Query, had: Iterable[tuple[Query, Reply]]
) -> Reply | None:
    """The whole answer to a query, as part of one that was had; None if there is none.

    `had` are the source's own replies, each to its query.
    """
    for asked, reply in had:
        if isinstance(reply.said, Answer) and _holds(asked, query, reply.said):
            return reply._replace(said=_part(source, query, reply.said))
    return None


def _holds(before: Query, query: Query, said: Answer) -> bool:
    """Whether an answer to one query has in it all that another asks for.

    Of another window it has not: what it said of the undated, and of what goes on
    into the window, was said of its own.
    """
    widened = replace(query, categories=before.categories, limit=before.limit)
    is_whole = all(caveat.code != "truncated" for caveat in said.caveats)
    return widened == before and query.categories <= before.categories and is_whole


def _part(source: Source, query: Query, said: Answer) -> Answer:
    """Cut as its adapter cuts. How much there is never decides whether to ask again.

    Else of somebody who is to stay unseen it would show that there is something.
    """
    events = tuple(
        event
        for event in said.events
        if category_of(event.kind, source.sector) in query.categories
    )
    if len(events) <= query.limit:
        return replace(said, events=events)
    cut = (*said.caveats, Caveat("truncated"))
    return replace(said, events=events[: query.limit], caveats=cut)
