"""Laws of deciding and releasing, over generated documents, requests and cells."""

import dataclasses
import json
from datetime import timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policies.compile import compile_set
from policies.decide import decide
from policies.documents import LocalRule, as_data, parse_document
from policies.obligations import View
from policies.release import Sealed, release
from tests.generative.policies import histories
from tests.generative.policies.histories import SUPPORTED, sign
from tests.spec.policies.shared_care import Thing

generous = settings(deadline=None)
LATER = "2031-10-26T08:00:00Z"  # after every generated agreement became active


@st.composite
def questions(draw, *, one_relationship=False):
    documents = draw(histories.document_sets())
    request = draw(histories.requests())
    if one_relationship:
        request = dataclasses.replace(request, relationships=frozenset())
    signatures = draw(histories.signatures(documents))
    return documents, signatures, request, draw(histories.cells())


def answer(documents, signatures, request, cell):
    policy_set = compile_set(documents, signatures)
    return decide(policy_set, request, cell, supported=SUPPORTED)


@generous
@given(questions())
def test_nothing_signed_is_nothing_granted(question):
    """Catches a compiled set that leaves unsigned grants live."""
    documents, _, request, cell = question
    assert answer(documents, (), request, cell).effect == "deny"


def grown(documents, signatures, extra):
    later = [sign(extra, organisation, LATER) for organisation in histories.ORGS]
    return (*documents, extra), (*signatures, *later)


@generous
@given(questions(), histories.agreements(9))
def test_a_later_grant_never_refuses_nor_narrows(question, extra):
    """Catches a union of duties, by which a second agreement removes data."""
    documents, signatures, request, cell = question
    assume(request.now.year > 2030)
    before = answer(documents, signatures, request, cell)
    more, signed = grown(documents, signatures, extra)
    after = answer(more, signed, request, cell)
    if before.effect == "permit":
        assert after.effect == "permit"
        assert not before.view.more_permissive(after.view)


@generous
@given(questions(one_relationship=True), histories.agreements(9))
def test_under_one_relationship_a_later_grant_only_widens_the_view(question, extra):
    """Catches an authority that moves to a grant that is merely other."""
    documents, signatures, request, cell = question
    before = answer(documents, signatures, request, cell)
    more, signed = grown(documents, signatures, extra)
    after = answer(more, signed, request, cell)
    if before.effect == "permit":
        assert after.view.at_least_as_permissive(before.view)


@generous
@given(questions(one_relationship=True), histories.local_rules(9))
def test_a_rule_only_narrows(question, extra):
    """Catches a rule read as a grant, or a constraint that replaces a duty."""
    documents, signatures, request, cell = question
    before = answer(documents, signatures, request, cell)
    after = answer((*documents, extra), signatures, request, cell)
    if after.effect == "permit":
        assert before.effect == "permit"
        assert before.view.at_least_as_permissive(after.view)


@generous
@given(questions(), st.sampled_from(histories.RELATIONSHIPS))
def test_more_evidence_never_refuses(question, relationship):
    """Catches a veto on one relationship that is applied to all."""
    documents, signatures, request, cell = question
    wider = dataclasses.replace(
        request, relationships=request.relationships | {relationship}
    )
    if answer(documents, signatures, request, cell).effect == "permit":
        assert answer(documents, signatures, wider, cell).effect == "permit"


@generous
@given(questions())
def test_breaking_the_glass_never_refuses_care(question):
    """Catches grants that exclude the broken glass unless they name it."""
    documents, signatures, request, cell = question
    whole = dataclasses.replace(request, break_glass=False, purpose="direct-care")
    broken = dataclasses.replace(whole, break_glass=True)
    if answer(documents, signatures, whole, cell).effect == "permit":
        assert answer(documents, signatures, broken, cell).effect == "permit"


@generous
@given(questions(), st.randoms(use_true_random=False))
def test_the_order_of_documents_and_signatures_is_irrelevant(question, random):
    """Catches authority that follows the order of files in a folder."""
    documents, signatures, request, cell = question
    shuffled, resigned = list(documents), list(signatures)
    random.shuffle(shuffled)
    random.shuffle(resigned)
    one, other = (
        compile_set(documents, signatures),
        compile_set(shuffled, resigned),
    )
    assert one.version == other.version
    assert decide(one, request, cell, supported=SUPPORTED) == decide(
        other, request, cell, supported=SUPPORTED
    )


def renamed(text):
    for number, organisation in enumerate(histories.ORGS):
        text = text.replace(organisation, f"Y{9 - number}X")
    return text


@generous
@given(questions())
def test_the_names_of_organisations_are_irrelevant(question):
    """Catches an organisation's code that is compared with anything but itself."""
    documents, signatures, request, cell = question
    before = answer(documents, signatures, request, cell)
    again = {
        each.id: parse_document(
            json.loads(renamed(json.dumps(as_data(each)))), where="renamed"
        )
        for each in documents
    }
    resigned = [
        sign(again[each.document], renamed(each.organisation), each.at.isoformat())
        for each in signatures
    ]
    asked = dataclasses.replace(request, recipient=renamed(request.recipient))
    at = dataclasses.replace(cell, owner=renamed(cell.owner))
    after = answer(again.values(), resigned, asked, at)
    assert (after.effect, after.view) == (before.effect, before.view)
    expected = before.authority and renamed(before.authority)
    assert after.authority == expected
    assert [(b.code, b.authority and renamed(b.authority)) for b in before.because] == [
        (b.code, b.authority) for b in after.because
    ]


@generous
@given(questions(), st.data())
def test_a_decision_is_constant_between_two_cut_points(question, data):
    """Catches a period that ends a day, an hour or a microsecond early or late."""
    documents, signatures, request, cell = question
    policy_set = compile_set(documents, signatures)
    index = data.draw(st.integers(0, len(policy_set.cuts) - 1))
    first = policy_set.cuts[index]
    following = [*policy_set.cuts, first + timedelta(days=9)][index + 1]
    assert (following - first) % timedelta(hours=1) == timedelta()
    at_first, at_last = (
        decide(
            policy_set,
            dataclasses.replace(request, now=now),
            cell,
            supported=SUPPORTED,
        )
        for now in (first, following - timedelta(microseconds=1))
    )
    assert at_first == at_last


@generous
@given(questions(), histories.local_rules(9), histories.agreements(9))
def test_what_one_owner_signs_or_forbids_leaves_other_owners_alone(
    question, theirs, granted
):
    """Catches a rule without its owner."""
    documents, signatures, request, cell = question
    elsewhere = dataclasses.replace(theirs, org="Z9D04")
    parties = dataclasses.replace(granted.parties, providers=frozenset({"Z9D04"}))
    other = dataclasses.replace(granted, parties=parties)
    before = answer(documents, signatures, request, cell)
    more, signed = grown((*documents, elsewhere), signatures, other)
    signed = (*signed, sign(other, "Z9D04", LATER))
    after = answer(more, signed, request, cell)
    assert (after.effect, after.authority, after.view) == (
        before.effect,
        before.authority,
        before.view,
    )


@st.composite
def drawn_views(draw):
    document = parse_document(
        {
            "kind": "local-rule",
            "id": "LR",
            "org": "Z9A01",
            "rules": [
                {
                    "id": "r",
                    "effect": "constrain",
                    "when": {},
                    "overridable": False,
                    "why": "A view",
                    "obligations": {**draw(histories.views), "no_onward": True},
                }
            ],
        },
        where="generated",
    )
    assert isinstance(document, LocalRule)
    (rule,) = document.rules
    return dataclasses.replace(rule.obligations, no_onward=draw(st.booleans()))


@generous
@given(drawn_views(), drawn_views(), drawn_views())
def test_views_are_a_meet_semilattice(one, two, three):
    """Catches an axis whose meet takes the milder of two."""
    assert one.meet(one) == one
    assert one.meet(two) == two.meet(one)
    assert one.meet(two).meet(three) == one.meet(two.meet(three))
    assert one.meet(View()) == one
    assert one.at_least_as_permissive(two) == (one.meet(two) == two)
    assert one.at_least_as_permissive(one.meet(two))


things = st.builds(
    Thing,
    category=st.sampled_from(histories.CATEGORIES),
    labels=st.frozensets(st.sampled_from(["PSY", "STD", "N", "surprise"]), max_size=2),
    earliest=st.one_of(
        st.none(),
        st.sampled_from([0, 300, 400, 2000]).map(
            lambda days: histories.NOON - timedelta(days=days)
        ),
    ),
)


def stated_as(cell, *, present, request):
    return {
        flag: (present, request.now)
        for flag, how in cell.flags.items()
        if how == "states"
    }


@generous
@given(questions(), st.lists(things, max_size=6), st.booleans())
def test_release_repeats_itself_and_gives_no_more_than_it_got(
    question, given_, present
):
    """Catches an item that is counted as withheld and shown, or neither."""
    documents, signatures, request, cell = question
    decision = answer(documents, signatures, request, cell)
    stated = stated_as(cell, present=present, request=request)
    decisions = {cell.category: decision}
    once = release(Sealed(given_, stated), decisions, request.now)
    shown = [thing for thing, _ in once.items]
    assert not once.failed
    assert len(shown) + once.withheld == len(given_) or once.silent
    assert all(thing in given_ and thing.category == cell.category for thing in shown)
    again = release(Sealed(shown, stated), decisions, request.now)
    assert again.items == once.items
    # One by one they fare as they did together.
    assert [
        pair
        for thing in given_
        for pair in release(Sealed([thing], stated), decisions, request.now).items
    ] == list(once.items)


@generous
@given(questions(), st.sampled_from(histories.ALL_FLAGS))
def test_an_unknown_flag_permits_only_if_every_value_of_it_would(question, flag):
    """Catches unknown read as absent."""
    documents, signatures, request, cell = question
    policy_set = compile_set(documents, signatures)

    def shown(how, stated):
        at = dataclasses.replace(cell, flags={**cell.flags, flag: how})
        decision = decide(policy_set, request, at, supported=SUPPORTED)
        others = stated_as(at, present=False, request=request)
        sealed = Sealed([Thing(category=cell.category)], {**others, **stated})
        released = release(sealed, {cell.category: decision}, request.now)
        return [view for _, view in released.items]

    if shown("none", {}):
        assert shown("states", {flag: (True, request.now)})
        assert shown("states", {flag: (False, request.now)})


@generous
@given(questions())
def test_a_plan_never_denies_what_release_would_have_let_through(question):
    """Catches a pending flag or label that already denies; no data is lost to it."""
    documents, signatures, request, cell = question
    policy_set = compile_set(documents, signatures)
    pending = decide(policy_set, request, cell, supported=SUPPORTED)
    settled = dataclasses.replace(
        cell,
        flags={
            flag: "prefiltered" if how == "states" else how
            for flag, how in cell.flags.items()
        },
    )
    known = decide(policy_set, request, settled, supported=SUPPORTED)
    if known.effect == "permit":
        assert pending.effect == "permit"
