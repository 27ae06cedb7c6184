"""Completeness in plain words: what a tired clinician reads first.

Sources are named by organisation, never by a person; every sentence says what may
be missing, not only what went wrong.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.contract import Caveat
from adapters.vocabulary import CAVEATS
from gateway.sources import Source

_GAPS: Final = {
    "timeout": "{who} did not answer in time; {what} may be missing.",
    "error": "{who} gave no answer that could be read; {what} may be missing.",
    "unavailable": "{who} could not be reached; {what} may be missing.",
    "stale": "{who} answered from data older than it promises; anything newer may be "
    "missing.",
    "withheld identity_mismatch": "{who} answered with records that are, or may be, "
    "somebody else's; they are withheld, and what it holds on this person may be "
    "missing.",
    "withheld policy": "Some of what {who} holds is withheld.",
    "withheld optout_unconfirmed": "Some of what {who} holds is withheld: it could not "
    "be confirmed that nothing speaks against its use here.",
    "not_asked no_hint": "{who} could not be asked: none of the identifiers known is "
    "one it uses; {what} may be missing.",
    "not_asked no_time": "There was no time left to ask {who}; {what} may be missing.",
    "not_asked overloaded": "{who} was too busy to be asked; {what} may be missing.",
    "not_asked suspended": "{who} answered with somebody else's records too often, and "
    "is not asked until its administrator clears it; {what} may be missing.",
}
_SHORT: Final = {
    "timeout": "did not answer in time",
    "error": "gave no answer that could be read",
    "unavailable": "could not be reached",
    "stale": "answered from data older than it promises; anything newer may be missing",
    "withheld identity_mismatch": "answered with records that are, or may be, somebody "
    "else's; they are withheld, and it may hold more",
    "not_asked no_hint": "could not be asked by the identifiers known",
    "not_asked no_time": "was not asked for want of time",
    "not_asked overloaded": "was too busy to be asked",
    "not_asked suspended": "is not asked for now, having answered with somebody "
    "else's records too often",
}
_FAILED: Final = frozenset(key.split()[0] for key in _SHORT)
_NO_FAILURE: Final = frozenset({"policy", "optout_unconfirmed", "outside_question"})
_SAYS_WHAT_IS_MISSING: Final = frozenset({"withheld", "stale"})
# Worth a sentence of its own: records that are there, or may be, and are not shown;
# and those shown that may not be this person's.
_LEFT_OUT: Final = {
    "tied_by_demographics": "Check who they are about: {count} records of {who} are "
    "tied to this person by name, date of birth and the like alone, not by a number.",
    "possible_match": "{who} holds records under {count} names that may be this "
    "person's, which is not sure enough; they are not shown.",
    "too_many_alike": "{who} holds too many people of this date of birth to tell "
    "whether this person is one of them.",
    "likeness_failed": "{who} could not be searched by name and date of birth; it may "
    "hold more.",
    "likeness_disputed": "Sources describe this person differently, so {who} was not "
    "searched by name and date of birth.",
    "likeness_not_permitted": "{who} was not searched by name and date of birth: those "
    "who hold them do not permit that.",
    "truncated": "The answer of {who} was cut short.",
    "rows_rejected": "{who} holds {count} rows that could not be read; some may be "
    "about this person.",
    "undated": "{count} records of {who} have no date and are left out by the window.",
    "continues_into_window": "{count} records of {who} began before the window and go "
    "on into it; they are left out.",
    "type_failed": "{who} failed to answer for some types of record ({count}).",
    "outcome_reported": "{who} itself reported a problem with its answer.",
    "drop_missing": "A delivery that {who} promised is not there.",
    "second_round_failed": "{who} could not be asked by every identifier known; it may "
    "hold more.",
    "identifier_disputed": "Sources disagree on an identifier that {who} uses; it was "
    "not asked by it, and may hold more.",
    "trace_failed": "{who} could not be asked what it merged or renumbered; records "
    "under another number may be missing.",
    "stale_intake": "A newer delivery of {who} could not be read; the last good one is "
    "used.",
    "arrival_failed": "Deliveries of {who} may be waiting that could not be fetched; "
    "what is shown may be old.",
    "unreadable_record": "{count} records of {who} could not be understood.",
    "unresolved_reference": "{count} records of {who} do not say in a way that can be "
    "followed whom they are about.",
    "withheld_at_source": "{who} itself holds back confidential records.",
    "awaited_at_source": "{who} says that some of its records are not there yet.",
    "merge_disputed": "{who} says of two people that they are one, and contradicts "
    "itself; records of the other are not shown.",
    "unmapped": "{count} records of {who} are of types not shown in a journey.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the statement needs to know of one source."""

    source: Source
    state: str
    reason: str | None
    answered: bool
    denied: frozenset[str]
    caveats: tuple[Caveat, ...]
    asked_since: str | None = None  # where policy lets nothing older be asked for
    withheld: bool = False  # some of it, by policy
    refused: frozenset[str] = frozenset()  # by the organisation itself, at its site


def who(source: Source) -> str:
    """A source in words: its organisation and its sector."""
    return f"{source.organisation.name} ({_plain(source.sector)})"


def denied(source: Source, categories: Iterable[str]) -> str:
    """What may not be asked of a source for this purpose."""
    return f"{who(source)} may not be asked for {_listed(categories)} here."


def refused(source: Source, categories: Iterable[str]) -> str:
    """What the organisation's own rules refuse, at its site."""
    return f"{who(source)} itself refuses to be asked for {_listed(categories)} here."


def gap(source: Source, state: str, reason: str | None) -> str:
    """What may be missing because of a source's state."""
    template = _GAPS.get(f"{state} {reason}") or _GAPS[state]
    return template.format(who=who(source), what=f"{_plain(source.sector)} records")


def cut_short(source: Source, codes: Sequence[str]) -> str:
    """What may be missing because of how a source answered."""
    reasons = "; ".join(CAVEATS[code] for code in codes)
    return f"{who(source)} told only a part: {reasons}."


def too_old(source: Source, first: str) -> str:
    """What may be missing because nothing before a day may be asked for."""
    return (
        f"{who(source)} may be asked only from {first} on; anything older is missing."
    )


def statement(told: Sequence[Told]) -> str:
    """How many answered, who did not, who may not be asked, and what is left out."""
    if not told:
        return "No source here can tell of what was asked; nothing is known from here."
    answered = sum(each.answered for each in told)
    parts = [_answered(answered, len(told))]
    parts += [_failure(each) for each in told if _is_failure(each)]
    parts += [_part_withheld(each) for each in told if each.withheld]
    denied_any = [e for e in told if e.denied]
    if denied_any:
        parts.append(_refusals(denied_any))
    parts += [refused(each.source, each.refused) for each in told if each.refused]
    parts += [
        too_old(each.source, each.asked_since) for each in told if each.asked_since
    ]
    parts += [line for each in told for line in _left_out(each)]
    return " ".join(parts)


def _answered(answered: int, listed: int) -> str:
    if answered == listed > 1:
        return f"All {answered} sources answered."
    return f"{answered} of {listed} {'source' if listed == 1 else 'sources'} answered."


def _is_failure(each: Told) -> bool:
    return each.state in _FAILED and each.reason not in _NO_FAILURE


def _part_withheld(each: Told) -> str:
    if each.reason == "optout_unconfirmed":
        return (
            f"{who(each.source)} has part withheld, as it could not be confirmed that "
            "nothing speaks against its use here."
        )
    return f"{who(each.source)} has part withheld."


def _failure(each: Told) -> str:
    short = _SHORT.get(f"{each.state} {each.reason}") or _SHORT[each.state]
    missing = "" if each.state in _SAYS_WHAT_IS_MISSING else "; it may hold more"
    return f"{who(each.source)} {short}{missing}."


def _refusals(refused: Sequence[Told]) -> str:
    named = "; ".join(
        f"{who(each.source)}"
        + ("" if each.state == "denied" else f" for {_listed(each.denied)}")
        for each in refused
    )
    return f"May not be asked for this purpose: {named}."


def _left_out(each: Told) -> list[str]:
    return [
        _LEFT_OUT[caveat.code].format(who=who(each.source), count=caveat.count)
        for caveat in each.caveats
        if caveat.code in _LEFT_OUT
    ]


def _plain(code: str) -> str:
    return code.replace("-", " ")


def _listed(categories: Iterable[str]) -> str:
    words = [_plain(each) for each in sorted(categories)]
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
