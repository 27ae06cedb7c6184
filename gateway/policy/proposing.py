"""A document that is only proposed: a version of itself, kept nowhere."""

from gateway.policy.approvals import person_of
from gateway.policy.occasion import Occasion
from gateway.policy.states import Kind, Version
from gateway.policy.transitions import check_ours, number_of_next, refuse_taken
from policies.clauses import Agreement, LocalRule


def proposed(on: Occasion, document: Agreement | LocalRule) -> Version:
    """A document as the next version of itself, kept nowhere.

    RequestError document-invalid unless the actor's organisation could draft it;
    conflict where its id is taken by what the actor may not see.
    """
    kind: Kind = "agreement" if isinstance(document, Agreement) else "local-rule"
    check_ours(on.actor, document)
    refuse_taken(on, kind, document.id)
    return Version(
        id=document.id,
        version=number_of_next(on, document.id),
        kind=kind,
        organisation=on.actor.organisation,
        state="draft",
        document=document,
        authors=frozenset({person_of(on.actor)}),
        created_at=on.now,
        changed_at=on.now,
    )
