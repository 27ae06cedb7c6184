"""Whole tables at once, in columns: for questions about a population, never a person.

Rows carry identifiers as the source holds them. Whoever reads them replaces these
before anything leaves the organisation; no adapter holds the key to do it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from adapters.contract import Caveat
from adapters.vocabulary import KINDS, STATUSES

if TYPE_CHECKING:
    import pyarrow as pa

PRECISIONS: Final = ("year", "month", "day", "minute", "second")
# Fixed, so that each batch of each source has the same words in the same places.
WORDS: Final = {
    "kind": tuple(KINDS),
    "status": tuple(sorted(STATUSES)),
    "precision": PRECISIONS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleQuery:
    """What is asked of everybody; windows and categories as in `contract.Query`.

    `batch_rows` bounds what is held at once, `seconds` the whole reading, the time
    included that its reader takes between two batches.
    """

    since: date | None
    until: date | None  # exclusive
    categories: frozenset[str]
    limit: int  # most rows wanted; a reading cut short says `truncated`
    batch_rows: int = 65_536
    seconds: float = 60.0

    def __post_init__(self) -> None:
        """ValueError for a bound by which nothing is told, which would look whole."""
        if min(self.limit, self.batch_rows) < 1 or self.seconds <= 0:
            message = "limit, batch_rows and seconds are each more than nothing."
            raise ValueError(message)


class TupleStream(Protocol):
    """Batches of `schema()`, and what must be known of them; read once, then closed."""

    as_of: datetime

    @property
    def is_whole(self) -> bool:
        """Whether the last batch was given: before that, nothing may be concluded."""
        ...

    @property
    def caveats(self) -> tuple[Caveat, ...]:
        """Of what was read so far: rows rejected, undated, cut; see the vocabulary."""
        ...

    def __aiter__(self) -> "AsyncIterator[pa.RecordBatch]":
        """Each batch, of at most `batch_rows` rows. Raises as `Adapter.ask` does."""
        ...

    async def aclose(self) -> None:
        """Ends the reading at the source too. Twice is safe."""
        ...


@runtime_checkable
class Tuples(Protocol):
    """Of some adapters: give every row they can tell of, in columns."""

    def tuples(self, asked: TupleQuery) -> TupleStream:
        """A reading of the source as it is when the first batch is asked for."""
        ...


def is_possible() -> bool:
    """Whether Arrow is installed (the extra `population`)."""
    return find_spec("pyarrow") is not None


@cache
def schema() -> "pa.Schema":
    """The columns of every batch, in their order.

    `subject`: what the row names its person by; it may be empty where a number failed
    its check. `start` and `end`: the earliest instant the source's words can mean, in
    UTC, with how precisely that is known; null where there is none. `codes`: as the
    source gave them. `organisation`: an ODS code where the row names one.
    """
    import pyarrow as pa  # noqa: PLC0415 - only of the extra `population`

    word = pa.dictionary(pa.int16(), pa.string())
    moment = pa.timestamp("us", tz="UTC")
    named = pa.struct(
        [
            pa.field("system", pa.string(), nullable=False),
            pa.field("value", pa.string(), nullable=False),
        ]
    )
    code = pa.struct([pa.field("system", pa.string()), pa.field("code", pa.string())])
    return pa.schema(
        [
            pa.field("subject", pa.list_(named), nullable=False),
            pa.field("record_id", pa.string(), nullable=False),
            pa.field("kind", word, nullable=False),
            pa.field("status", word, nullable=False),
            pa.field("start", moment),
            pa.field("start_precision", word),
            pa.field("end", moment),
            pa.field("end_precision", word),
            pa.field("codes", pa.list_(code), nullable=False),
            pa.field("organisation", pa.string()),
        ]
    )
