"""Why not: the sentences of a refusal.

What is said rests on the request, the documents, and how a source is registered,
never on a person's flags or labels.
"""

from typing import Final

from policies.because import Because
from policies.compile import PolicySet, bits
from policies.lines import Line

_SENTENCES: Final = {
    "no_grant": "No agreement covers this",
    "not_yet": "The agreement is not yet in force",
    "not_signed": "Not signed, in its present text, by every organisation it needs",
    "suspended": "Suspended by the organisation that gives the data",
    "expired": "The agreement has ended",
    "label": "The source does not label its records, and the agreement needs that",
    "flag": "The source leaves out the people this agreement is about",
    "stale": "The evidence of the relationship has lapsed",
    "unknown": "Something the rules must know is not known",
    "cited_absent": "The agreement that was cited does not cover this",
    "obligation_unsupported": "An obligation of the agreement cannot be met here",
    "policy_error": "The rules could not be read; nothing is released",
}
# Sentences of their own, under the code of the obstacle they are a case of.
_TOLD_AS: Final = {"not_yet": "no_grant", "suspended": "not_signed"}


def failed(organisation: str | None = None) -> Because:
    """The reason when deciding itself went wrong."""
    return because("policy_error", organisation)


def unsupported(line: Line) -> Because:
    """The reason when a duty of the authority cannot be done."""
    return because("obligation_unsupported", line.organisation, line.authority)


def vetoed(
    policy_set: PolicySet, vetoes: int, *, certain: int, owner: str
) -> tuple[Because, ...]:
    """Every veto that held; `unknown` where it held only for want of knowledge."""
    return tuple(
        _veto(policy_set.lines[index], owner, is_certain=bool(certain >> index & 1))
        for index in bits(vetoes)
    )


def _veto(line: Line, owner: str, *, is_certain: bool) -> Because:
    if not is_certain:
        return because("unknown", owner, line.authority)
    return Because(
        code="veto", authority=line.authority, why=line.why, organisation=owner
    )


def because(
    code: str, organisation: str | None, authority: str | None = None
) -> Because:
    """The reason of a code, or of a case of it, in the one sentence it has."""
    return Because(
        code=_TOLD_AS.get(code, code),
        authority=authority,
        why=_SENTENCES[code],
        organisation=organisation,
    )
