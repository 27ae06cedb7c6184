"""The visits that ADT messages tell of: who owns each, and what came of it.

Source: HL7 v2.8, 3.3 (trigger events) and 3.4.7 (PV1).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from adapters import nhs_number
from adapters.contract import Identifier
from adapters.hl7v2 import trigger
from adapters.hl7v2.acts import Act
from adapters.hl7v2.linking import Linking
from adapters.hl7v2.message import Message
from adapters.mapping.cells import plain

UNNUMBERED = "@"


@dataclass(slots=True)
class Visit:
    """The acts of one visit, and whose it is: who opened it, until it is moved."""

    token: str = field(repr=False)
    owner: Identifier
    account: str | None = field(repr=False)
    acts: list[Act] = field(default_factory=list)


@dataclass(slots=True)
class Visits:
    """All visits of some people, act after act."""

    linking: Linking
    _by_token: dict[str, list[Visit]] = field(default_factory=dict)

    def hear(self, act: Act) -> None:
        """Takes in an act; they are heard in their order."""
        if not act.is_adt or act.trigger in trigger.OF_PEOPLE:
            return
        if act.trigger in trigger.MOVES:
            self._move(act)
        if act.trigger in trigger.MOVES | trigger.RENAMES_VISIT:
            self._rename(act)
        token = token_of(act.message)
        if token is not None:
            self._visit(token, act).acts.append(act)

    def of(self, people: frozenset[Identifier]) -> list[Visit]:
        """The visits these own."""
        return [
            v for every in self._by_token.values() for v in every if v.owner in people
        ]

    def _visit(self, token: str, act: Act) -> Visit:
        every = self._by_token.setdefault(token, [])
        for visit in every:
            if self._is_of(visit.owner, act):
                return visit
        account = _account(act.message)
        every.append(Visit(token, act.anchor, account))
        return every[-1]

    def _is_of(self, owner: Identifier, act: Act) -> bool:
        current = self.linking.current
        return current(owner) == current(act.anchor) or self.linking.were_one(
            owner, act.anchor, act.order
        )

    def _move(self, act: Act) -> None:
        """Makes whom PID-3 names the owner of what MRG says was somebody else's."""
        mrg = act.message.one("MRG")
        if mrg is None:
            return
        number, account = mrg.text(5), mrg.text(3)
        before = {self.linking.current(prior) for prior in act.prior}
        for every in list(self._by_token.values()):
            for visit in every:
                moved = (
                    visit.token == _numbered(number)
                    if act.trigger == "A45" and number
                    else account is not None and visit.account == account
                )
                if moved and self.linking.current(visit.owner) in before:
                    visit.owner = act.anchor

    def _rename(self, act: Act) -> None:
        mrg, token = act.message.one("MRG"), token_of(act.message)
        prior = _numbered(mrg.text(5)) if mrg is not None and mrg.text(5) else None
        if token is None or prior is None or token == prior:
            return
        for visit in list(self._by_token.get(prior, ())):
            if self._is_of(visit.owner, act):
                self._by_token[prior].remove(visit)
                self._join(token, visit)

    def _join(self, token: str, visit: Visit) -> None:
        every = self._by_token.setdefault(token, [])
        visit.token = token
        for other in every:
            if other.owner == visit.owner:
                other.acts[:0] = visit.acts
                return
        every.append(visit)


def token_of(message: Message) -> str | None:
    """What tells a visit from the others; None where the message is about none.

    Its number (PV1-19), else the account and when it began, else that it has neither.
    """
    visit = message.one("PV1")
    if visit is None:
        return None
    number = visit.text(19)
    if number is not None:
        return _numbered(number)
    began, account = visit.text(44), _account(message)
    if began is not None:
        return f"began:{account or ''}|{began}"
    return f"account:{account}" if account is not None else UNNUMBERED


def _numbered(number: str | None) -> str:
    return f"number:{plain(number or '')}"


def _account(message: Message) -> str | None:
    pid = message.one("PID")
    return pid.text(18) if pid is not None else None


def shown_id(written: str, *more: str) -> str:
    """A record id as it was written; a digest where that could be an NHS number."""
    whole = "/".join((written, *more))
    if nhs_number.is_within(whole):
        return made_id(whole)
    return whole


def made_id(*parts: str) -> str:
    """A stable id of what has none of its own."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8")).hexdigest()[:24]


def not_taken_back(acts: Iterable[Act]) -> tuple[list[Act], set[int]]:
    """The acts of a visit, and which of them were taken back later, by their place.

    A cancellation takes back the last act of its kind that still stands.
    """
    every = list(acts)
    gone: set[int] = set()
    for place, act in enumerate(every):
        wanted = trigger.CANCELS.get(act.trigger)
        if wanted is None:
            continue
        for earlier in range(place - 1, -1, -1):
            if earlier not in gone and every[earlier].trigger in wanted:
                gone.add(earlier)
                break
    return every, gone
