"""A document that is only proposed: a version of itself, kept nowhere."""

from gateway.policy.approvals import person_of
from gateway.policy.occasion import Occasion
from gateway.policy.states import Kind, Version
from gateway.policy.transitions import check_ours
from gateway.problems import RequestError
from policies.clauses import Agreement, LocalRule


def proposed(on: Occasion, document: Agreement | LocalRule) -> Version:
    """A document as the next version of itself, kept nowhere.

    RequestError document-invalid unless the actor's organisation could draft it;
    conflict where its id is taken by what the actor may not see.
    """
    kind: Kind = "agreement" if isinstance(document, Agreement) else "local-rule"
    check_ours(on.actor, document)
    number = 1
    if document.id in on.snapshot.versions:
        try:
            on.held(kind, document.id)
        except RequestError:
            message = "That id is taken. Give the document another."
            raise RequestError("conflict", message) from None
        number += on.snapshot.versions[document.id][-1].version
    return Version(
        id=document.id,
        version=number,
        kind=kind,
        organisation=on.actor.organisation,
        state="draft",
        document=document,
        authors=frozenset({person_of(on.actor)}),
        created_at=on.now,
        changed_at=on.now,
    )
