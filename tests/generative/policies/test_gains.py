"""Evidence that is not worth looking for changes nothing, whatever is released."""

from dataclasses import replace

from policies.compile import compile_set
from policies.decide import decide
from policies.gains import gains
from policies.release import Sealed, release
from tests.generative.policies.tapes import FLAGS, LABELS, SUPPORTED
from tests.generative.policies.trying import plain_law
from tests.spec.policies.shared_care import Thing

SOUGHT = ("registered", "self-claimed")  # those that generated clauses speak of
HELD = ((), (), ("registered",), ("self-claimed",))


def shown(policy_set, request, cell, *, things, flags):
    """The view planned, and of each thing the view it is let through under, if any."""
    decision = decide(policy_set, request, cell, supported=SUPPORTED)
    opened = release(Sealed(things, flags), {cell.category: decision}, request.now)
    views = {item.labels: view for item, view in opened.items}
    planned = decision.view if decision.effect == "permit" else None
    return [planned, *(views.get(each.labels) for each in things)]


@plain_law
def test_what_is_not_worth_looking_for_would_have_changed_nothing(tape):
    """Catches gains judged by the view of the plan, which labels can still change."""
    documents = tape.documents()
    policy_set = compile_set(documents, tape.signatures(documents))
    cell = tape.cell()
    request = replace(tape.request(), relationships=frozenset(tape.pick(HELD)))
    things = tuple(
        Thing(category=cell.category, labels=frozenset(labels))
        for labels in ((), LABELS[:1], LABELS[1:], LABELS)
    )
    flags = {flag: (tape.chance(2), request.now) for flag in tape.few(FLAGS)}
    worth = gains(policy_set, request, (cell,), supposed=SOUGHT)
    before = shown(policy_set, request, cell, things=things, flags=flags)
    for kind in SOUGHT:
        held = request.relationships | {kind}
        more = replace(request, relationships=held)
        after = shown(policy_set, more, cell, things=things, flags=flags)
        assert kind in worth or after == before
    return bool(worth)
