"""GET /v1/admin/policy/vocabulary: every code that a document may hold."""

from fastapi import APIRouter, Request, Response

from gateway.api.asking import only_parameters
from gateway.api.described import described
from gateway.api.policy.administration import administrator
from gateway.journey.journey import Shape, as_json
from gateway.settings import CAPACITIES
from policies import vocabulary

router = APIRouter()


class PurposeTerm(Shape, frozen=True, kw_only=True):
    """A purpose, its HL7 v3 ActReason and its class."""

    code: str
    hl7: str
    purpose_class: str


class PolicyVocabulary(Shape, frozen=True, kw_only=True):
    """The closed lists, in one version; a code is never given another meaning."""

    version: str
    hash: str
    purposes: list[PurposeTerm]
    operations: list[str]
    modes: list[str]
    assurance: list[str]
    roles: list[str]
    categories: list[str]
    relationships: list[str]
    labels: list[str]
    flags: list[str]
    art6: list[str]
    art9: list[str]
    confidentiality: list[str]
    exemptions: list[str]
    fields: list[str]
    mask_levels: list[str]
    date_grains: list[str]
    notify: list[str]
    capacities: list[str]


@router.get(
    "/v1/admin/policy/vocabulary",
    **described(
        "getPolicyVocabulary",
        "Every code that an agreement or a local rule may hold",
        answer=PolicyVocabulary,
        problems=(401, 403, 503),
    ),
)
async def get_vocabulary(request: Request) -> Response:
    """The pick-lists of whoever writes policy; nothing else is taken."""
    await administrator(request, "policy:read")
    only_parameters(request)
    return Response(as_json(_LISTS), media_type="application/json")


_LISTS = PolicyVocabulary(
    version=vocabulary.VERSION,
    hash=vocabulary.HASH,
    purposes=[
        PurposeTerm(code=each.code, hl7=each.hl7, purpose_class=each.class_)
        for each in vocabulary.PURPOSES.values()
    ],
    operations=list(vocabulary.OPERATIONS),
    modes=list(vocabulary.MODES),
    assurance=list(vocabulary.ASSURANCE),
    roles=list(vocabulary.ROLES),
    categories=list(vocabulary.CATEGORIES),
    relationships=list(vocabulary.RELATIONSHIPS),
    labels=[*vocabulary.CLEARABLE, vocabulary.UNRECOGNISED],
    flags=list(vocabulary.FLAGS),
    art6=list(vocabulary.ART6),
    art9=list(vocabulary.ART9),
    confidentiality=list(vocabulary.CONFIDENTIALITY),
    exemptions=list(vocabulary.EXEMPTIONS),
    fields=list(vocabulary.FIELDS),
    mask_levels=list(vocabulary.MASK_LEVELS),
    date_grains=list(vocabulary.DATE_GRAINS),
    notify=list(vocabulary.NOTIFIED),
    capacities=list(CAPACITIES),
)
