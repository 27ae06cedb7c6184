"""What the law asks of a clause: why it may share, and which objections it honours."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from policies import vocabulary
from policies.analysis.findings import Lint, Place
from policies.clauses import Agreement, Clause

# A reference of the Confidentiality Advisory Group, or of those it followed.
_ADVICE: Final = re.compile(r"\d.*(CAG|ECC|PIAG)|(CAG|ECC|PIAG).*\d", re.IGNORECASE)
_NAMES_PEOPLE: Final = frozenset({"identified", "pseudonymised"})
_OPT_OUTS: Final = frozenset({"ndo", "type1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the gate must know of the world; `now` is aware."""

    now: datetime
    general_practices: frozenset[str] = frozenset()  # providers of GP data, by ODS code
    organisations: frozenset[str] = frozenset()  # all there are; none: all named


def unlawful(place: Place, circumstances: Circumstances) -> Iterator[Lint]:
    """What forbids to publish a clause; of a rule nothing does."""
    document, clause = place.member.document, place.part
    if isinstance(clause, Clause) and isinstance(document, Agreement):
        yield from _basis(place, clause)
        yield from _opt_outs(place, clause)
        practices = document.parties.providers & circumstances.general_practices
        yield from _type_1(place, clause, practices)
        yield from _claimed(place, clause)


def _beyond(clause: Clause) -> list[str]:
    return sorted(clause.purposes - vocabulary.INDIVIDUAL)


def _basis(place: Place, clause: Clause) -> Iterator[Lint]:
    basis, beyond = clause.legal_basis, _beyond(clause)
    if not basis.art9.strip():
        message = "names no condition of article 9. Add it."
        yield place.lint("refuse", "no_art9", message, at="legal_basis.art9")
    if basis.confidentiality == "implied-consent" and beyond:
        yield place.lint(
            "refuse",
            "implied_consent_outside_individual",
            f"consent is not implied for {', '.join(beyond)}. State another basis, "
            "or take these purposes into a clause of their own.",
            at="legal_basis.confidentiality",
        )
    evidence = (basis.evidence, clause.exemption and clause.exemption.evidence)
    has_advice = any(each and _ADVICE.search(each) for each in evidence)
    if basis.confidentiality == "s251" and not has_advice:
        yield place.lint(
            "refuse",
            "s251_without_cag",
            "section 251 support has a reference. Give it, such as 21/CAG/0001.",
            at="legal_basis.evidence",
        )


def _opt_outs(place: Place, clause: Clause) -> Iterator[Lint]:
    honoured = clause.honours & _OPT_OUTS
    individual = sorted(clause.purposes & vocabulary.INDIVIDUAL)
    if honoured and individual:
        yield place.lint(
            "refuse",
            "opt_out_in_individual",
            f"{' and '.join(sorted(honoured))} never stand against "
            f"{', '.join(individual)}. Do not honour them there, "
            "or take these purposes into a clause of their own.",
            at="honours",
        )
    is_owed = bool(_beyond(clause)) and bool(clause.modes & _NAMES_PEOPLE)
    if is_owed and "ndo" not in clause.honours and clause.exemption is None:
        yield place.lint(
            "refuse",
            "ndo_not_honoured",
            f"the national data opt-out stands against {', '.join(_beyond(clause))}. "
            "Honour ndo, or state an exemption with its evidence.",
            at="honours",
        )


def _type_1(place: Place, clause: Clause, practices: frozenset[str]) -> Iterator[Lint]:
    is_owed = bool(_beyond(clause)) and bool(clause.modes & _NAMES_PEOPLE)
    is_met = "type1" in clause.honours or clause.exemption is not None
    if practices and is_owed and not is_met:
        named = ", ".join(sorted(practices))
        message = (
            f"type 1 objections stand against sharing data of {named} outside "
            "individual care. Honour type1, or state an exemption with its evidence."
        )
        yield place.lint("refuse", "type1_not_honoured", message, at="honours")


def _claimed(place: Place, clause: Clause) -> Iterator[Lint]:
    if "self-claimed" in clause.relationships and "aal1" in clause.assurance:
        yield place.lint(
            "refuse",
            "self_claimed_at_aal1",
            "a claimed relationship needs a stronger sign-in. Leave out aal1, "
            "or self-claimed.",
            at="assurance",
        )
