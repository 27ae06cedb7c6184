"""Small sets that between them use every part of a policy, and what tells two apart."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from policies import vocabulary
from policies.clauses import Document, Member, Signature
from policies.compile import PolicySet, compile_set
from policies.decide import decide
from policies.exports.probes import Question, probes
from policies.obligations import View
from policies.pending import Stated
from policies.release import Sealed, release
from policies.request import Cell, FlagRegistration
from tests.generative.policies.tapes import SUPPORTED
from tests.reference_policy import Ruling, Tested, Told, lines_of, ruled
from tests.spec.policies.shared_care import (
    GP,
    HOSPITAL,
    NOW,
    TRUST,
    Thing,
    agreement,
    clause,
    local_rule,
    read,
    rule,
    signature,
)

LABELS = [frozenset[str](), *(frozenset({label}) for label in ("PSY", "STD", "odd"))]
SILENT = frozenset({"floor/legally-restricted", "floor/sensitive-record"})
FLAGS = (*vocabulary.FLAGS, "consent:DSA-2031-017")


@dataclass(frozen=True)
class Scene:
    """Documents with their signatures, and questions that touch all of them."""

    documents: tuple[Document | Member, ...]
    signatures: tuple[Signature, ...]

    def compiled(self) -> PolicySet:
        return compile_set(self.documents, self.signatures)

    @cached_property
    def lines(self) -> list[Tested]:
        return lines_of(self.documents, self.signatures)

    @cached_property
    def questions(self) -> list[tuple[Question, Ruling]]:
        """What is asked before a source is, and what the reference rules."""
        return [
            (question, ruled(self.lines, question))
            for question in probes(self.compiled(), NOW, most=5_000)
        ]

    @cached_property
    def answers(self) -> list["Answer"]:
        """What sources that state every flag may then say, of what is permitted."""
        permitted = [each for each, said in self.questions if said.effect == "permit"]
        states: dict[str, FlagRegistration] = dict.fromkeys(FLAGS, "states")
        asked = [(r, replace(c, flags=states)) for r, c in permitted[:2]]
        return [
            self._answer(question, told, raw)
            for question in (*asked, *permitted[:1], *permitted[-1:])
            for told in tellings(question[0].now)
            for raw in LABELS
        ]

    def _answer(
        self, question: Question, told: Stated, raw: frozenset[str]
    ) -> "Answer":
        request, cell = question
        known = {vocabulary.label_of(label) for label in raw} - {None}
        always = {"unlabelled"} if cell.labels == "unlabelled" else set()
        states = known_flags(cell, told, request.now)
        said = ruled(
            self.lines,
            question,
            told=Told(flags=states, labels=frozenset(map(str, known | always))),
        )
        return Answer(
            question=question,
            told=told,
            raw=raw,
            shown=[said.view]
            if said.effect == "permit" and lets_by(said, states)
            else [],
            silent=said.effect == "deny" and bool(in_the_way(said) & SILENT),
        )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a source says of a person and of one item, and what may be shown of it."""

    question: Question
    told: Stated
    raw: frozenset[str]
    shown: list[View]
    silent: bool


def scene(*data: dict[str, Any], unsigned: str = "") -> Scene:
    documents = tuple(read(each) for each in data)
    return Scene(
        documents=documents,
        signatures=tuple(
            signature(document, organisation)
            for document in documents
            if document.id.startswith("DSA")
            for organisation in (GP, HOSPITAL, TRUST)
            if organisation != unsigned
        ),
    )


def differences(policy_set: PolicySet, shown: Scene) -> Iterator[str]:
    """Where a compiled set decides or releases otherwise than the reference."""
    for (request, cell), expected in shown.questions:
        decision = decide(policy_set, request, cell, supported=SUPPORTED)
        if (decision.effect, decision.authority, decision.relationship) != (
            expected.effect,
            expected.authority,
            expected.relationship,
        ):
            yield f"{decision.effect} instead of {expected.effect}"
        elif decision.view != expected.view:
            yield "another view"
        elif decision.effect == "deny" and vetoes(decision) != in_the_way(expected):
            yield "other vetoes"
    for answer in shown.answers:
        yield from released_otherwise(policy_set, answer)


def lets_by(said: Ruling, states: Mapping[str, str]) -> bool:
    """Whether every row filter is known to leave the person in."""
    return all(states.get(flag) == "absent" for flag in said.view.row_filters)


def vetoes(decision: Any) -> frozenset[str]:
    told = {(each.code, each.authority) for each in decision.because}
    return frozenset(
        authority
        for code, authority in told
        if code in {"veto", "unknown"} and authority and "#" not in authority
    )


def in_the_way(expected: Ruling) -> frozenset[str]:
    under = expected.under.values()
    nearest = [each for each in under if each.grants] or list(under)
    return frozenset(name for each in nearest for name in each.vetoes)


def released_otherwise(policy_set: PolicySet, answer: Answer) -> Iterator[str]:
    request, cell = answer.question
    decision = decide(policy_set, request, cell, supported=SUPPORTED)
    thing = Thing(category=cell.category, labels=answer.raw, earliest=request.now)
    sealed = Sealed([thing], answer.told)
    opened = release(sealed, {cell.category: decision}, request.now)
    if [view for _, view in opened.items] != answer.shown:
        yield "released otherwise"
    if opened.silent != answer.silent:
        yield "silent otherwise"


def known_flags(cell: Cell, told: Stated, now: datetime) -> dict[str, str]:
    """What is known once a source has answered, by how it registered each flag."""
    states = {}
    for flag in FLAGS:
        is_present, as_of = told.get(flag, (None, now))
        is_fresh = now - as_of <= timedelta(days=1 if "consent" in flag else 7)
        registered = cell.flags.get(flag, "none")
        if is_present and is_fresh:
            states[flag] = "present"
        elif registered == "prefiltered" or (
            registered == "states" and is_present is False and is_fresh
        ):
            states[flag] = "absent"
    return states


def tellings(now: datetime) -> Iterator[Stated]:
    """What a source may say of a person: nothing, no flag, and each flag alone."""
    hour_ago = now - timedelta(hours=1)
    yield {}
    yield dict.fromkeys(FLAGS, (False, hour_ago))
    for present in FLAGS:
        yield {flag: (flag == present, hour_ago) for flag in FLAGS}
    stale = now - timedelta(days=8)
    yield dict.fromkeys(FLAGS, (False, stale))


def standing(by: tuple[str, ...] = (GP, HOSPITAL, TRUST), **how: Any) -> Scene:
    """One version that stands so, between two agreements with other duties."""
    version = read(agreement())
    after, before = (
        read(agreement(clause(obligations={name: "true"}), id=identity))
        for name, identity in (("no_onward", "DSA-A"), ("justify", "DSA-Z"))
    )
    member = Member(document=version, **how)
    signatures = [
        signature(document, organisation, at=at)
        for document, at, signers in (
            (version, "2031-04-10T09:00:00Z", by),
            (after, "2031-04-20T09:00:00Z", (GP, HOSPITAL)),
            (before, "2031-04-05T09:00:00Z", (TRUST,)),
        )
        for organisation in signers
    ]
    return Scene(documents=(member, after, before), signatures=tuple(signatures))


STUDY = {"art6": "6(1)(e)", "art9": "9(2)(j)", "confidentiality": "explicit-consent"}
RULED = {
    "purposes": ["direct-care"],
    "operations": ["journey.read"],
    "modes": ["identified"],
    "agreements": ["DSA-2031-017"],
    "recipients": [GP],
    "roles": ["doctor"],
    "assurance": ["aal2"],
    "relationships": ["registered"],
    "categories": ["encounters"],
    "same_org": "false",
    "labels_any": ["PSY"],
    "flags_any": ["ndo"],
}
DEMANDS: dict[str, Any] = {
    "hide_fields": ["event.detail"],
    "mask_fields": {"person.name": "partial"},
    "date_grain": "month",
    "max_age_days": "90",
    "min_count": "5",
    "row_filters": ["ndo"],
    "no_onward": "true",
    "retain_seconds": "60",
    "notify": ["owner"],
    "justify": "true",
}
EVERY_MODE = ["identified", "pseudonymised", "aggregate"]


def vetoed(**when: Any) -> Scene:
    return scene(agreement(), local_rule(rule(when=when)))


def demanding(axis: str) -> Scene:
    """A wide grant before one that demands, and a rule that demands as well."""
    obligations = {axis: DEMANDS[axis]}
    wide, narrow = (
        clause(obligations={}),
        clause(id="c2", obligations=obligations, relationships=["registered", "none"]),
    )
    demand = rule(effect="constrain", when={"roles": ["gp"]}, obligations=obligations)
    return scene(agreement(wide, narrow), local_rule(demand))


SCENES: dict[str, Scene] = {
    "second version": standing(version=2),
    "standing for one": standing(standing=frozenset({GP})),
    "suspended by one": standing(suspended=frozenset({HOSPITAL})),
    "carried": standing(by=(GP, HOSPITAL), carried=frozenset({TRUST})),
    "active since": standing(
        first_active={each: NOW - timedelta(days=1) for each in (GP, HOSPITAL)}
    ),
    "one clause": scene(agreement()),
    "unsigned by a recipient": scene(agreement(), unsigned=GP),
    "unsigned by a provider": scene(agreement(), unsigned=HOSPITAL),
    "two agreements": scene(
        agreement(),
        agreement(clause(obligations={"no_onward": "true"}), id="DSA-B"),
    ),
    "a wider clause later": scene(
        agreement(
            clause(), clause(id="c2", obligations={}), clause(id="c3", obligations={})
        )
    ),
    "by consent": scene(agreement(clause(legal_basis=STUDY, honours=["ndo"]))),
    "for broken glass": scene(
        agreement(clause(break_glass="only")), local_rule(rule(overridable="true"))
    ),
    "every mode, claimed": scene(
        agreement(
            clause(modes=EVERY_MODE, relationships=["registered", "self-claimed"])
        )
    ),
    "research and care": scene(
        agreement(clause(purposes=["direct-care", "research"], cleared_labels=[]))
    ),
    "overridable": scene(agreement(), local_rule(rule(overridable="true"))),
    **{f"veto on {name}": vetoed(**{name: tested}) for name, tested in RULED.items()},
    **{f"demanding {axis}": demanding(axis) for axis in DEMANDS},
}
