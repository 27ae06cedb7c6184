"""A second opinion: Cedar decides the same questions, and must decide them alike.

Cedar is never in the path of a request. It is asked where a change of policy waits for
signatures, if the extra `verify` is installed; else the opinion is that it was not run.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from typing import Any, Final, Literal

from policies import vocabulary
from policies.compile import PolicySet
from policies.decide import Decision, decide
from policies.exports.cedar import cedar_request, cedar_texts
from policies.exports.probes import Question
from policies.obligations import AXES, View
from policies.pending import FlagState, planned_flags
from policies.request import Cell, Request

# Whether an obligation can be done is ours to know; Cedar has none.
_EVERY: Final = frozenset(AXES)


class NoOpinion(Exception):
    """Cedar did not take the texts, or answered neither yes nor no."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """One question decided differently, each side in a sentence."""

    request: Request
    cell: Cell
    ours: str
    theirs: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What the oracle says of a set; `asked` questions were put to both.

    `problem`: why there is no opinion, though it was asked for.
    """

    outcome: Literal["agrees", "disagrees", "not run"]
    asked: int = 0
    disagreements: tuple[Disagreement, ...] = ()
    problem: str | None = None

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a gate says of it: the problem, or how each question was decided."""
        if self.problem is not None:
            return (self.problem,)
        return tuple(
            f"{each.cell.category} of {each.cell.owner}, asked by a "
            f"{each.request.role} of {each.request.recipient} for "
            f"{each.request.purpose}: {each.ours}. Cedar: {each.theirs}."
            for each in self.disagreements
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """What Cedar finds to match under one relationship, by authority."""

    is_permitted: bool
    grants: frozenset[str]
    vetoes: frozenset[str]
    constraints: frozenset[str]


def consult(
    policy_set: PolicySet,
    questions: Iterable[Question],
    *,
    library: Callable[[], Any] | None = None,
) -> Opinion:
    """Cedar's opinion of the set on these questions, as they stand when planned.

    A text that Cedar does not take, an error, or an answer that is neither yes nor no
    disagrees. At 1 000 clauses it takes 3 s, and 30 ms a question, of which some hold
    the interpreter: call it in a thread.
    """
    try:
        cedar = (library or _cedarpy)()
    except ImportError:
        return Opinion(outcome="not run")
    asked = 0
    found: list[Disagreement] = []
    try:
        oracle = Oracle(policy_set, cedar)
        for request, cell in questions:
            asked += 1
            found += oracle.disagreements(request, cell)
    except NoOpinion as error:
        return Opinion(outcome="disagrees", asked=asked, problem=str(error))
    outcome: Literal["agrees", "disagrees"] = "disagrees" if found else "agrees"
    return Opinion(outcome=outcome, asked=asked, disagreements=tuple(found))


def _cedarpy() -> Any:  # noqa: ANN401 - an optional library has no type here
    return import_module("cedarpy")


class Oracle:
    """One set as Cedar reads it, always with its schema. NoOpinion if it does not."""

    def __init__(self, policy_set: PolicySet, cedar: Any) -> None:  # noqa: ANN401 - see _cedarpy
        self._cedar = cedar
        self._set = policy_set
        self._views = {line.authority: line.view for line in policy_set.lines}
        self._granting = frozenset(
            line.authority for line in policy_set.lines if line.effect == "grant"
        )
        texts = cedar_texts(policy_set)
        try:
            self._schema = cedar.Schema.from_str(texts.schema, release_gil=True)
            for text in (texts.policies, texts.constraints):
                # Some seconds at 1 000 clauses, in which others get their turn.
                found = cedar.validate_policies(text, self._schema, release_gil=True)
                if not found.validation_passed:
                    raise NoOpinion("Cedar finds the exported text at fault.")
            self._policies, self._grants, self._constraints = (
                cedar.PolicySet.from_str(text, release_gil=True)
                for text in (texts.policies, texts.grants, texts.constraints)
            )
        except ValueError:
            raise NoOpinion("Cedar cannot read the exported text.") from None

    def disagreements(self, request: Request, cell: Cell) -> list[Disagreement]:
        """How the two differ on a question as planned: one entry, or none."""
        decision = decide(self._set, request, cell, supported=_EVERY)
        known = request.relationships | {vocabulary.NO_RELATIONSHIP}
        flags = planned_flags(self._set, cell.flags)
        labels = () if cell.labels == "labelled" else (vocabulary.UNLABELLED,)
        under = {
            relationship: self.reasons(
                request, cell, relationship=relationship, flags=flags, labels=labels
            )
            for relationship in vocabulary.RELATIONSHIPS
            if relationship in known
        }
        if self._agree(decision, under):
            return []
        return [
            Disagreement(
                request=request, cell=cell, ours=_ours(decision), theirs=_theirs(under)
            )
        ]

    def reasons(
        self,
        request: Request,
        cell: Cell,
        *,
        relationship: str,
        flags: Mapping[str, FlagState],
        labels: Iterable[str],
    ) -> Reasons:
        """All that matches by what is known of flags and labels. May raise."""
        asked = cedar_request(
            request, cell, relationship=relationship, flags=flags, labels=labels
        )
        is_permitted, found = self._ask(asked, self._policies)
        if is_permitted:
            grants, vetoes = found, frozenset[str]()
        else:
            grants, vetoes = self._ask(asked, self._grants)[1], found
        return Reasons(
            is_permitted=is_permitted,
            grants=grants,
            vetoes=vetoes,
            constraints=self._ask(asked, self._constraints)[1],
        )

    def _ask(
        self,
        asked: dict[str, object],
        policies: Any,  # noqa: ANN401 - see _cedarpy
    ) -> tuple[bool, frozenset[str]]:
        # One at a time, so that others get their turn between two of them.
        answer = self._cedar.is_authorized(asked, policies, [], self._schema)
        told = answer.diagnostics
        if told.errors or answer.decision == self._cedar.Decision.NoDecision:
            raise NoOpinion("Cedar answered with an error.")
        named = told.id_annotations_by_reason
        return answer.allowed, frozenset(named[each] for each in told.reasons)

    def _agree(self, decision: Decision, under: Mapping[str, Reasons]) -> bool:
        permitted = {name: each for name, each in under.items() if each.is_permitted}
        if decision.effect == "deny":
            vetoes = frozenset(
                each.authority
                for each in decision.because
                if each.code in {"veto", "unknown"} and each.authority
            )
            # A grant that unknown flags stand against is named alike; it is no veto.
            return not permitted and vetoes - self._granting == _vetoes(under)
        held = permitted.get(decision.relationship or "")
        return (
            held is not None
            and decision.authority in held.grants
            and decision.view == self._view(decision.authority, held.constraints)
        )

    def _view(self, authority: str, constraints: Iterable[str]) -> View:
        narrowed = (self._views[each] for each in constraints)
        return reduce(View.meet, narrowed, self._views[authority])


def _vetoes(under: Mapping[str, Reasons]) -> frozenset[str]:
    """Those that stand in the way: where something is granted, only the ones there."""
    nearest = [each for each in under.values() if each.grants] or [*under.values()]
    return frozenset(name for each in nearest for name in each.vetoes)


def _ours(decision: Decision) -> str:
    names = sorted(str(each.authority) for each in decision.because if each.authority)
    return " ".join((decision.effect, decision.relationship or "", *names))


def _theirs(under: Mapping[str, Reasons]) -> str:
    return "; ".join(
        " ".join(
            (
                name,
                "permit" if each.is_permitted else "deny",
                *sorted(each.grants | each.vetoes | each.constraints),
            )
        )
        for name, each in under.items()
    )
