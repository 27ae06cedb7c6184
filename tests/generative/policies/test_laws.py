"""Laws of deciding and releasing, over generated documents, requests and cells.

Each names a defect that it catches.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from policies import vocabulary
from policies.clauses import Agreement, Document, Signature
from policies.compile import PolicySet, compile_set
from policies.decide import Decision, decide
from policies.documents import content_hash
from policies.obligations import FULL_VIEW, View
from policies.release import Released, Sealed, release
from policies.request import Cell, Request
from tests.generative.policies import tapes
from tests.generative.policies.tapes import LATER, NOON, SUPPORTED, Tape, signed
from tests.generative.policies.trying import law, plain_law
from tests.reference_policy import ruling
from tests.spec.policies.shared_care import Thing

Signed = tuple[tuple[Document, ...], tuple[Signature, ...]]
ALONE: dict[str, Any] = {"relationships": frozenset()}  # "none" and no other


def a_set(tape: Tape) -> Signed:
    documents = tape.documents()
    return documents, tape.signatures(documents)


def settled(policy_set: PolicySet, request: Request, cell: Cell) -> Decision:
    return decide(policy_set, request, cell, supported=SUPPORTED)


@law
def test_without_a_signature_everything_is_denied(tape):
    """Catches a compiled set that leaves unsigned grants live."""
    documents, signatures = a_set(tape)
    request, cell = tape.request(), tape.cell()
    theirs = [each for each in signatures if each.organisation != request.recipient]
    assert settled(compile_set(documents, ()), request, cell).effect == "deny"
    assert settled(compile_set(documents, theirs), request, cell).effect == "deny"
    return settled(compile_set(documents, signatures), request, cell).effect


@law
def test_a_later_grant_only_widens(tape):
    """Catches a union of duties, by which a second agreement removes data."""
    documents, signatures = a_set(tape)
    request, cell, extra = tape.request(), tape.cell(), tape.agreement(9)
    one, two = (
        compile_set(documents, signatures),
        compile_set((*documents, extra), (*signatures, *signed(extra, at=LATER))),
    )
    before, after = settled(one, request, cell), settled(two, request, cell)
    if before.effect == "permit" and request.now > LATER:
        assert after.effect == "permit"
        assert not before.view.more_permissive(after.view)
    alone = replace(request, **ALONE)
    one_alone, two_alone = settled(one, alone, cell), settled(two, alone, cell)
    if one_alone.effect == "permit" and request.now > LATER:
        assert two_alone.effect == "permit"
        assert two_alone.view.at_least_as_permissive(one_alone.view)
    return before.effect


@law
def test_a_rule_only_narrows(tape):
    """Catches a rule read as a grant, or a constraint that replaces a duty."""
    documents, signatures = a_set(tape)
    request, cell, extra = tape.request(), tape.cell(), tape.local_rule(9)
    one, two = (
        compile_set(documents, signatures),
        compile_set((*documents, extra), signatures),
    )
    before, after = settled(one, request, cell), settled(two, request, cell)
    if after.effect == "permit":
        assert before.effect == "permit"
        assert not after.view.more_permissive(before.view)
    alone = replace(request, **ALONE)
    one_alone, two_alone = settled(one, alone, cell), settled(two, alone, cell)
    if two_alone.effect == "permit":
        assert one_alone.effect == "permit"
        assert one_alone.view.at_least_as_permissive(two_alone.view)
    return before.effect


@law
def test_more_evidence_never_refuses(tape):
    """Catches a veto on one relationship that is applied to all."""
    policy_set = compile_set(*a_set(tape))
    request, cell = tape.request(), tape.cell()
    effect = settled(policy_set, request, cell).effect
    for relationship in (*tapes.RELATIONSHIPS, "referral", "x", "stale:none"):
        more = replace(request, relationships=request.relationships | {relationship})
        assert effect == "deny" or settled(policy_set, more, cell).effect == "permit"
    return effect


@law
def test_breaking_the_glass_never_refuses_care(tape):
    """Catches grants that exclude the broken glass unless they name it."""
    policy_set = compile_set(*a_set(tape))
    asked, cell = tape.request(), tape.cell()
    whole = replace(asked, break_glass=False, purpose="direct-care")
    before = settled(policy_set, whole, cell)
    after = settled(policy_set, replace(whole, break_glass=True), cell)
    if before.effect == "permit":
        assert after.effect == "permit"
    if after.effect == "permit":
        assert after.view.justify
        assert "privacy-officer" in after.view.notify
    return before.effect


@law
def test_the_order_of_documents_and_signatures_is_irrelevant(tape):
    """Catches authority that follows the order of files in a folder."""
    documents, signatures = a_set(tape)
    request, cell = tape.request(), tape.cell()
    shuffled = sorted(documents, key=lambda _: tape.byte())
    resigned = sorted(signatures, key=lambda _: tape.byte())
    one, other = compile_set(documents, signatures), compile_set(shuffled, resigned)
    assert one.version == other.version
    decision = settled(one, request, cell)
    assert decision == settled(other, request, cell)
    return decision.effect


NAMES = {"Z9A01": "Y9X", "Z9B02": "X8W07", "Z9C03": "A0B"}


def renamed(names: frozenset[str]) -> frozenset[str]:
    return frozenset(NAMES.get(name, name) for name in names)


def rewritten(document: Document) -> Document:
    if isinstance(document, Agreement):
        parties = document.parties
        providers, recipients = renamed(parties.providers), renamed(parties.recipients)
        again = replace(parties, providers=providers, recipients=recipients)
        return replace(document, parties=again)
    rules = tuple(
        replace(
            rule,
            when=replace(
                rule.when,
                recipients=rule.when.recipients and renamed(rule.when.recipients),
            ),
        )
        for rule in document.rules
    )
    return replace(document, org=NAMES[document.org], rules=rules)


@law
def test_the_names_of_organisations_are_irrelevant(tape):
    """Catches an organisation's code that is compared with anything but itself."""
    documents, signatures = a_set(tape)
    request, cell = tape.request(), tape.cell()
    before = settled(compile_set(documents, signatures), request, cell)
    again = {each.id: rewritten(each) for each in documents}
    hashes = {identity: content_hash(each) for identity, each in again.items()}
    resigned = [
        replace(each, hash=hashes[each.document], organisation=NAMES[each.organisation])
        for each in signatures
    ]
    asked = replace(request, recipient=NAMES.get(request.recipient, request.recipient))
    at = replace(cell, owner=NAMES.get(cell.owner, cell.owner))
    after = settled(compile_set(again.values(), resigned), asked, at)

    def name(authority: str | None) -> str | None:
        head, sign, provider = (authority or "").partition("#")
        return authority and head + sign + NAMES.get(provider, provider)

    assert (after.effect, after.view) == (before.effect, before.view)
    assert after.authority == name(before.authority)
    assert [(each.code, each.authority) for each in after.because] == [
        (each.code, name(each.authority)) for each in before.because
    ]
    return before.effect


@law
def test_a_decision_is_constant_between_two_cut_points_and_exact_at_them(tape):
    """Catches a period that ends a day, an hour or a microsecond early or late."""
    documents, signatures = a_set(tape)
    policy_set = compile_set(documents, signatures)
    request, cell = tape.request(), tape.cell()
    index = tape.byte() % len(policy_set.cuts)
    first = policy_set.cuts[index]
    following = [*policy_set.cuts, first + timedelta(days=9)][index + 1]
    moment = timedelta(microseconds=1)
    before, at_first, at_last = (
        replace(request, now=now) for now in (first - moment, first, following - moment)
    )
    assert settled(policy_set, at_first, cell) == settled(policy_set, at_last, cell)
    for asked in (before, at_first):
        expected = ruling(documents, signatures, (asked, cell))
        decision = settled(policy_set, asked, cell)
        assert (decision.effect, decision.authority) == (
            expected.effect,
            expected.authority,
        )
    return settled(policy_set, request, cell).effect


@law
def test_what_one_owner_signs_or_forbids_leaves_other_owners_alone(tape):
    """Catches a rule without its owner."""
    documents, signatures = a_set(tape)
    request, cell = tape.request(), tape.cell()
    forbidding, granting = tape.local_rule(9), tape.agreement(9)
    elsewhere = replace(forbidding, org="Z9D04")
    parties = replace(granting.parties, providers=frozenset({"Z9D04"}))
    other = replace(granting, parties=parties)
    by_all = signed(other, at=LATER)
    theirs = (*by_all, replace(by_all[0], organisation="Z9D04"))
    before = settled(compile_set(documents, signatures), request, cell)
    more = compile_set((*documents, elsewhere, other), (*signatures, *theirs))
    after = settled(more, request, cell)
    if cell.owner:  # of an owner that is not known, every rule holds
        assert (after.effect, after.authority, after.view) == (
            before.effect,
            before.authority,
            before.view,
        )
    assert after.effect == before.effect
    return before.effect


def thing(tape: Tape, category: str) -> Thing:
    labels = frozenset(
        tape.pick(("N", "PSY", "STD", "surprise")) for _ in range(tape.byte() % 3)
    )
    days = tape.pick((0, 300, 400, 2000, None))
    return Thing(
        category=tape.usually(category, *tapes.CATEGORIES, of=4),
        labels=labels - {"N"} if tape.chance(2) else labels,
        earliest=None if days is None else NOON - timedelta(days=days),
    )


def stated_by(tape: Tape, cell: Cell, request: Request) -> dict[str, Any]:
    """What the source says of the person: mostly that no flag is there."""
    hour = timedelta(hours=1)
    return {
        flag: (tape.usually(False, True, of=6), request.now - hour)
        for flag in tapes.ALL_FLAGS
        if cell.flags.get(flag) == "states" and not tape.chance(12)
    }


@law
def test_release_repeats_itself_and_gives_no_more_than_it_got(tape):
    """Catches an item that is counted as withheld and shown, or neither."""
    policy_set = compile_set(*a_set(tape))
    request, cell = tape.request(), tape.cell()
    decision = settled(policy_set, request, cell)
    given = [thing(tape, cell.category) for _ in range(tape.byte() % 5)]
    stated = stated_by(tape, cell, request)
    decisions = {cell.category: decision}

    def released(things: list[Thing]) -> Released[Thing]:
        return release(Sealed(things, stated), decisions, request.now)

    once = released(given)
    shown = [each for each, _ in once.items]
    assert not once.failed
    assert len(shown) + once.withheld <= len(given)
    assert len(shown) + once.withheld == len(given) or cell.flags
    assert all(each in given and each.category == cell.category for each in shown)
    assert decision.effect == "permit" or not shown
    assert released(shown).items == once.items
    # One by one they fare as they did together.
    one_by_one = [pair for each in given for pair in released([each]).items]
    assert one_by_one == list(once.items)
    return decision.effect


def shown(policy_set: PolicySet, asked: tuple[Request, Cell], told: Any) -> list[View]:
    request, cell = asked
    decision = settled(policy_set, request, cell)
    sealed = Sealed([Thing(category=cell.category, earliest=request.now)], told)
    released = release(sealed, {cell.category: decision}, request.now)
    return [view for _, view in released.items]


@law
def test_an_unknown_flag_permits_only_if_every_value_of_it_would(tape):
    """Catches unknown read as absent, or as present."""
    policy_set = compile_set(*a_set(tape))
    request, cell = tape.request(), tape.cell()
    flag, others = tape.pick(tapes.ALL_FLAGS), stated_by(tape, cell, request)
    # Nobody is left out by a row filter on another flag: a grant that a known consent
    # brings may have one, and come first.
    filtered: dict[str, Any] = {"ndo": "prefiltered"}
    cell = replace(cell, flags={**cell.flags, **filtered})
    others.pop("ndo", None)

    def seen(how: str, *stated: bool) -> list[View]:
        at = replace(cell, flags={**cell.flags, flag: how})
        rest = {name: told for name, told in others.items() if name != flag}
        told = {flag: (stated[0], request.now)} if stated else {}
        return shown(policy_set, (request, at), rest | told)

    # With what view is another matter: a grant that more knowledge brings may come
    # first, and demand something else.
    if seen("none"):
        assert seen("states", True)
        assert seen("states", False)
    return settled(policy_set, request, cell).effect


UNKNOWN: dict[str, tuple[tuple[Any, ...], tuple[Any, ...]]] = {
    "operation": (vocabulary.OPERATIONS, ("", "x")),
    "mode": (vocabulary.MODES, ("", "raw")),
    "purpose": (tuple(vocabulary.PURPOSES), ("", None, "TREAT")),
    "recipient": (tapes.ORGS, ("", None)),
    "role": (vocabulary.ROLES, ("", "king")),
    "assurance": (vocabulary.ASSURANCE, ("", None, "aal9")),
    "break_glass": ((True, False), (None, "true")),
}


@law
def test_an_unknown_attribute_permits_only_if_every_value_of_it_would(tape):
    """Catches no purpose read as care, or no role as any."""
    policy_set = compile_set(*a_set(tape))
    request, cell = tape.request(), tape.cell()
    name = tape.pick(tuple(UNKNOWN))
    known, unknown = UNKNOWN[name]
    if (
        settled(policy_set, replace(request, **{name: tape.pick(unknown)}), cell).effect
        == "permit"
    ):
        assert all(
            settled(policy_set, replace(request, **{name: value}), cell).effect
            == "permit"
            for value in known
        )
    for odd in (replace(cell, owner=""), replace(cell, category="x")):
        assert settled(policy_set, request, odd).effect == "deny"
    return settled(policy_set, request, cell).effect


@law
def test_a_plan_never_denies_what_release_would_have_let_through(tape):
    """Catches a pending flag or label that already denies; no data is lost to it."""
    policy_set = compile_set(*a_set(tape))
    request, cell = tape.request(), tape.cell()
    pending = settled(policy_set, request, cell)
    for value in ("prefiltered", "states"):
        flags = {
            flag: value if how == "states" else how for flag, how in cell.flags.items()
        }
        known = settled(policy_set, request, replace(cell, flags=flags))
        if known.effect == "permit":
            assert pending.effect == "permit"
    return pending.effect


def view(tape: Tape) -> View:
    """Each axis by itself, any value of it."""
    return View(
        hide_fields=tape.pick(FIELDS),
        mask_fields=tape.pick(MASKS),
        date_grain=tape.pick(vocabulary.DATE_GRAINS),
        max_age_days=tape.pick((None, 365, 1825)),
        min_count=tape.pick((0, 5, 10)),
        row_filters=tape.few(tapes.FLAGS),
        no_onward=tape.chance(2),
        retain_seconds=tape.pick((None, 0, 60)),
        notify=tape.pick(NOTIFIED),
        justify=tape.chance(2),
    )


FIELDS = tapes.subsets(("person.address", "person.name"))
NOTIFIED = tapes.subsets(vocabulary.NOTIFIED)
MASKS = tuple(
    frozenset(
        (name, level)
        for name, level in (("person.birth_date", one), ("person.postcode", two))
        if level != "none"
    )
    for one in vocabulary.MASK_LEVELS
    for two in vocabulary.MASK_LEVELS
)


@plain_law
def test_views_are_a_meet_semilattice(tape):
    """Catches an axis whose meet takes the milder of two."""
    one, two, three = view(tape), view(tape), view(tape)
    assert one.meet(one) == one
    assert one.meet(two) == two.meet(one)
    assert one.meet(two).meet(three) == one.meet(two.meet(three))
    assert one.meet(FULL_VIEW) == one
    assert one.at_least_as_permissive(two) == (one.meet(two) == two)
    assert one.at_least_as_permissive(one.meet(two))
    assert one.meet(two).axes == one.axes | two.axes
