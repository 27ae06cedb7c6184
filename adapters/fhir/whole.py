"""A Bundle decoded in one go, each resource straight into its own type.

Reading every resource twice, first for its type and then by it, costs as much as all
the rest. So the whole page is tried first. Whatever is unusual about it (a bad
record, a type that R4 does not have) makes the attempt None, and the page is then
read resource by resource, where one bad record costs itself and no more.
"""

from typing import TYPE_CHECKING, Final, Union

import msgspec

from adapters.fhir import resources
from adapters.fhir.elements import (
    BROKEN,
    Element,
    Link,
    Meta,
    OperationOutcome,
    Resource,
)
from adapters.fhir.elements import Search as Mode
from adapters.fhir.tables import SUPPORTING, TYPES

# The types of R4 that have no place in a journey. One that is missing here is read
# rightly all the same, only slower.
_UNMAPPED: Final = """
    ActivityDefinition AdverseEvent AppointmentResponse AuditEvent Basic Binary
    BiologicallyDerivedProduct Bundle CapabilityStatement CatalogEntry ChargeItem
    ChargeItemDefinition Claim ClaimResponse ClinicalImpression CodeSystem
    Communication CommunicationRequest CompartmentDefinition ConceptMap Consent
    Contract Coverage CoverageEligibilityRequest CoverageEligibilityResponse
    DetectedIssue DeviceDefinition DeviceMetric DeviceRequest DeviceUseStatement
    DocumentManifest EffectEvidenceSynthesis EnrollmentRequest EnrollmentResponse
    EventDefinition Evidence EvidenceVariable ExampleScenario ExplanationOfBenefit
    FamilyMemberHistory Goal GraphDefinition Group GuidanceResponse ImagingStudy
    ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide
    InsurancePlan Invoice Library Linkage List Measure MeasureReport Media
    MedicationKnowledge MedicinalProduct MedicinalProductAuthorization
    MedicinalProductContraindication MedicinalProductIndication
    MedicinalProductIngredient MedicinalProductInteraction
    MedicinalProductManufactured MedicinalProductPackaged
    MedicinalProductPharmaceutical MedicinalProductUndesirableEffect
    MessageDefinition MolecularSequence NamingSystem
    NutritionOrder ObservationDefinition OperationDefinition Parameters PaymentNotice
    PaymentReconciliation Person PlanDefinition Questionnaire QuestionnaireResponse
    RequestGroup ResearchDefinition ResearchElementDefinition ResearchStudy
    ResearchSubject RiskAssessment RiskEvidenceSynthesis SearchParameter
    SpecimenDefinition StructureDefinition StructureMap Subscription
    SubstanceNucleicAcid SubstancePolymer SubstanceProtein
    SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification
    SupplyDelivery SupplyRequest Task TerminologyCapabilities TestReport TestScript
    ValueSet VerificationResult VisionPrescription
"""


class Reported(OperationOutcome, frozen=True, gc=False):
    """An OperationOutcome, with what every resource of a whole page has."""

    meta: Meta | None = None


class Told(Element, frozen=True, gc=False):
    """All that is read of a resource that only explains others, or is not shown."""

    id: str | None = None
    meta: Meta | None = None


def _tagged(name: str) -> type[msgspec.Struct]:
    """A type that is chosen by the word that stands in `resourceType`."""
    ground: type[Element] = getattr(resources, name, Told)
    if name == "OperationOutcome":
        ground = Reported
    return msgspec.defstruct(
        name,
        (),
        bases=(ground,),
        module=__name__,
        frozen=True,
        gc=False,
        tag=name,
        tag_field="resourceType",
    )


NAMES: Final = (
    "Patient",
    "OperationOutcome",
    *TYPES,
    *sorted(SUPPORTING),
    *_UNMAPPED.split(),
)
if TYPE_CHECKING:
    AnyResource = Resource
else:  # which types there are is only known to running code
    AnyResource = Union[tuple(_tagged(name) for name in NAMES)]  # noqa: UP007 - `|` cannot join a list


class WholeEntry(Element, frozen=True, gc=False):
    """An entry with its resource decoded."""

    full_url: str | None = None
    resource: AnyResource | None = None
    search: Mode | None = None


class WholeBundle(Element, frozen=True, gc=False):
    """A Bundle with its resources decoded."""

    resource_type: str | None = None
    type: str | None = None
    total: int | None = None
    meta: Meta | None = None
    link: tuple[Link, ...] | None = None
    entry: tuple[WholeEntry, ...] | None = None


_WHOLE: Final = msgspec.json.Decoder(WholeBundle)


def whole(page: bytes) -> WholeBundle | None:
    """The Bundle that a page is, None where it cannot be had in one go."""
    try:
        bundle = _WHOLE.decode(page)
    except BROKEN:
        return None
    return bundle if bundle.resource_type == "Bundle" else None
