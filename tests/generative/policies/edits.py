"""Two sets, the second an edit of the first, read off one tape; and questions."""

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from policies.clauses import Agreement, Document, LocalRule, Signature
from policies.compile import PolicySet, compile_set
from policies.obligations import View
from policies.request import Cell, Request
from tests.generative.policies import tapes
from tests.generative.policies.tapes import EARLY, LATE, NOON, Tape, signed
from tests.reference_policy import Tested, Told, lines_of, ruled

TAPE_BYTES = 320
tape_bytes = st.binary(min_size=TAPE_BYTES, max_size=TAPE_BYTES)
FLAG_STATES = ("absent", "absent", "absent", "present", "unknown")


@dataclass(frozen=True)
class Signed:
    """Documents that everybody has signed."""

    documents: tuple[Document, ...]
    signatures: tuple[Signature, ...]
    compiled: PolicySet
    lines: list[Tested]  # as the reference reads them

    def ruled(self, request: Request, cell: Cell, told: Told) -> View | None:
        """The reference's answer: a view, or None."""
        question = (request, cell)
        found = ruled(self.lines, question, told=told)
        return found.view if found.effect == "permit" else None


def signed_by_all(documents: list[Document]) -> Signed:
    signatures = tuple(
        signature
        for document in documents
        if isinstance(document, Agreement)
        for signature in signed(document, at=LATE if document.id == "DSA-1" else EARLY)
    )
    held = tuple(documents)
    return Signed(
        documents=held,
        signatures=signatures,
        compiled=compile_set(held, signatures),
        lines=lines_of(held, signatures),
    )


def edited(tape: Tape) -> tuple[Signed, Signed]:
    """A set, and the same after one edit or two."""
    before = list(tape.documents())
    after = list(before)
    for _ in range(1 + tape.byte() % 2):
        after = _edit(tape, after)
    return signed_by_all(before), signed_by_all(after)


def _edit(tape: Tape, documents: list[Document]) -> list[Document]:
    choice, place = tape.byte() % 6, tape.byte() % len(documents)
    chosen, rest = documents[place], documents[:place] + documents[place + 1 :]
    others = [each for each in documents if each.id not in {"DSA-9", "LR-9"}]
    if choice == 0:
        return [*others, tape.agreement(9, clauses=1)]
    if choice == 1:
        return [*others, tape.local_rule(9)]
    if choice == 2:
        return rest or documents
    if isinstance(chosen, LocalRule):
        return [*rest, replace(tape.local_rule(0), id=chosen.id, org=chosen.org)]
    return [*rest, _with_another_clause(tape, chosen)]


def _with_another_clause(tape: Tape, agreement: Agreement) -> Agreement:
    first, *others = agreement.clauses
    changed: dict[str, Any] = {
        "roles": tape.some(tapes.ROLES),
        "cleared_labels": tape.some(tapes.CLEARED, least=0),
        "honours": tape.few(tapes.FLAGS),
        "obligations": tape.usually(first.obligations, *tapes.VIEWS, of=2),
    }
    key = tape.pick(sorted(changed))
    another = replace(first, **{key: changed[key]})
    return replace(agreement, clauses=(another, *others))


def question(tape: Tape) -> tuple[Request, Cell, Told]:
    """A request with evidence of one relationship, about one item, all of it known."""
    relationship = tape.pick(tapes.RELATIONSHIPS)
    request = replace(
        tape.request(),
        relationships=frozenset({relationship} - {"none"}),
        purpose=tape.pick(tapes.PURPOSES),
        now=tape.usually(NOON, *tapes.INSTANTS, of=4),
    )
    flags = {flag: tape.pick(FLAG_STATES) for flag in tapes.ALL_FLAGS}
    flags |= {flag: tape.pick(("present", "absent")) for flag in tapes.CONSENTS}
    told = Told(flags=flags, labels=tape.few(tapes.CLEARED))
    return request, replace(tape.cell(), owner=tape.pick(tapes.ORGS[:2])), told
