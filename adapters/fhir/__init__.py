"""The `fhir` kind: any FHIR R4 server, asked over HTTP."""

from adapters.fhir.adapter import FhirAdapter, build
from adapters.fhir.reading import Reading, read_bundle
from adapters.fhir.references import Scope

__all__ = ["FhirAdapter", "Reading", "Scope", "build", "read_bundle"]
