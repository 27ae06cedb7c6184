"""What a sample does not show is asked: of whoever runs the command, or their options.

Nothing that could be wrong in silence has a default: the order of day and month, the
start, the record's id and who a row is about are asked where they are not seen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from adapters.vocabulary import KINDS
from gateway.onboarding.dates import Order, with_order
from gateway.onboarding.proposal import Guess, Placeholder, Proposal, TimeGuess
from gateway.onboarding.times import needs_order, told_of

NONE: Final = "none"
ORDERS: Final = ("day-first", "month-first")


class Unanswered(Exception):
    """A question without an answer, that nothing may be taken for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question: the option that answers it, and what may be said."""

    option: str
    says: str
    offered: Sequence[str] = ()  # empty: anything
    default: str | None = None  # None: somebody has to say


class Asks(Protocol):
    """Whoever answers."""

    def answer(self, query: Query) -> str:
        """One of what is offered. Unanswered if nobody says and nothing may be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Answers given as options first; then a prompt, or with `yes` the default."""

    options: Mapping[str, str]
    prompt: Callable[[Query], str] | None  # None: nobody is there to be asked
    used: set[str] = field(default_factory=set)

    def answer(self, query: Query) -> str:
        given = self.options.get(query.option)
        if given is not None:
            self.used.add(query.option)
            return self._fitting(query, given)
        if self.prompt is not None:
            return self._fitting(query, self.prompt(query))
        if query.default is not None:
            return query.default
        says = f"{query.says} Say it with {query.option}"
        raise Unanswered(f"{says}{_of(query.offered)}.")

    def _fitting(self, query: Query, given: str) -> str:
        if query.offered and given not in query.offered:
            raise Unanswered(f"{query.option} is not one{_of(query.offered)}.")
        return given


def _of(offered: Sequence[str]) -> str:
    return f" of: {', '.join(offered)}" if offered else ""


def settle(found: Proposal, asks: Asks, *, columns: Sequence[str]) -> Proposal:
    """The proposal with everything settled that a mapping cannot do without.

    Unanswered where nobody says what cannot be seen.
    """
    found = replace(found, kind=_kind(found, asks))
    found = _with_start(found, asks)
    found = _in_order(found, asks)
    found = _with_person(found, asks, columns=columns)
    found = _with_record_id(found, asks, columns=columns)
    return replace(found, placeholders=_confirmed(found, asks))


def _kind(found: Proposal, asks: Asks) -> Guess:
    guessed = found.kind.column
    said = asks.answer(
        Query(
            option="--event-kind",
            says=f"What is one row about? ({found.kind.because})",
            offered=sorted(KINDS),
            default=guessed,
        )
    )
    if said == guessed:
        return found.kind
    return Guess(columns=(said,), is_sure=True, because="said when it was written")


def _with_start(found: Proposal, asks: Asks) -> Proposal:
    if not found.times:
        message = (
            "no column holds times that can be read, so no row says when. Give a "
            "sample with one, or write the mapping by hand: docs/mapping.md."
        )
        raise Unanswered(message)
    guessed = found.start.column if found.start else None
    query = Query(
        option="--start",
        says="Which column says when it happened, or began?",
        offered=list(found.times),
        default=guessed,
    )
    said = asks.answer(query)
    if said != guessed:
        found = replace(found, start=_said(found.times[said]))
    return _with_end(found, asks)


def _with_end(found: Proposal, asks: Asks) -> Proposal:
    others = [name for name in found.times if name != found.start_column]
    guessed = found.end.column if found.end else NONE
    guessed = NONE if guessed == found.start_column else guessed
    query = Query(
        option="--end",
        says="Which column says when it ended?",
        offered=[NONE, *others],
        default=guessed,
    )
    said = asks.answer(query)
    if said == guessed and said != NONE:
        return found
    return replace(found, end=None if said == NONE else _said(found.times[said]))


def _said(guess: TimeGuess) -> TimeGuess:
    told = f"said when it was written; {told_of(guess.reading)}"
    return replace(guess, because=told)


def _in_order(found: Proposal, asks: Asks) -> Proposal:
    """Day or month first, asked once for all columns that do not show it."""
    mapped = (found.start, found.end, found.recorded, found.birth_date)
    open_ = [each for each in mapped if each and needs_order(each.reading)]
    if not open_:
        return found
    told = "; ".join(f"{each.column!r}: {told_of(each.reading)}" for each in open_)
    said = asks.answer(
        Query(
            option="--dates",
            says=f"Does the day or the month stand first? {told}.",
            offered=ORDERS,
        )
    )
    order: Order = "day-first" if said == "day-first" else "month-first"
    ordered = {each.column: _ordered(each, order) for each in open_}

    def now(guess: TimeGuess | None) -> TimeGuess | None:
        return ordered.get(guess.column, guess) if guess else None

    return replace(
        found,
        start=now(found.start),
        end=now(found.end),
        recorded=now(found.recorded),
        birth_date=now(found.birth_date),
    )


def _ordered(guess: TimeGuess, order: Order) -> TimeGuess:
    reading = with_order(guess.reading, order)
    because = (
        f"{order}, as was said when it was written; {reading.read} of "
        f"{reading.filled} filled cells can be read so, and {reading.ambiguous} of "
        "them the other way too"
    )
    return replace(guess, reading=reading, because=because)


def _with_person(found: Proposal, asks: Asks, *, columns: Sequence[str]) -> Proposal:
    numbers = found.nhs_number.column if found.nhs_number else NONE
    said = _column(asks, "--nhs-number-column", numbers, columns=columns)
    if said != numbers:
        found = replace(found, nhs_number=_as_said(said))
    key = found.person_key.column if found.person_key else NONE
    said = _column(asks, "--person-key", key, columns=columns)
    if said != key:
        found = replace(found, person_key=_as_said(said))
    if found.nhs_number is None and found.person_key is None:
        message = (
            "no column says whom a row is about. Say it with --person-key or "
            "--nhs-number-column."
        )
        raise Unanswered(message)
    return found


_ROLES: Final = {
    "--nhs-number-column": "Which column holds the NHS number?",
    "--person-key": "Which column is this system's own key of a person?",
}


def _column(asks: Asks, option: str, default: str, *, columns: Sequence[str]) -> str:
    query = Query(
        option=option,
        says=_ROLES[option],
        offered=[NONE, *columns],
        default=default,
    )
    return asks.answer(query)


def _as_said(column: str) -> Guess | None:
    if column == NONE:
        return None
    return Guess(columns=(column,), is_sure=True, because="said when it was written")


def _with_record_id(found: Proposal, asks: Asks, *, columns: Sequence[str]) -> Proposal:
    guessed = ",".join(found.record_id.columns) if found.record_id else None
    said = asks.answer(
        Query(
            option="--record-id",
            says="Which column, or which several joined by commas, tell every row "
            "from every other?",
            default=guessed,
        )
    )
    if said == guessed:
        return found
    parts = tuple(part.strip() for part in said.split(","))
    if strange := [part for part in parts if part not in columns]:
        raise Unanswered(
            f"--record-id names {len(strange)} columns that are not there. There "
            f"are: {', '.join(columns)}."
        )
    told = Guess(columns=parts, is_sure=True, because="said when it was written")
    return replace(found, record_id=told)


def _confirmed(found: Proposal, asks: Asks) -> tuple[Placeholder, ...]:
    """Those whom nobody stands behind; an NHS number that passes is never one."""
    offered = [each for each in found.placeholders if not each.is_number]
    kept = [each for each in found.placeholders if each.is_number]
    for each in offered:
        said = asks.answer(
            Query(
                option="--placeholders",
                says=f"{each.value!r} stands in {each.column!r} beside {each.people} "
                "people. Is it a placeholder, that names nobody?",
                offered=("yes", "no"),
                default="no",
            )
        )
        if said == "yes":
            kept.append(each)
    return tuple(kept)
