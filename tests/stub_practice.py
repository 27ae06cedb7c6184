"""A GP practice's server of ours, for tests: it gives one structured record at a time.

    async with StubPractice([patient, allergy]) as practice:
        settings = f'base_url = "{practice.base_url}"'

It binds a free port of 127.0.0.1 and answers `POST /Patient/$gpc.getstructuredrecord`
as GP Connect says: the Patient, a List for each area that was asked for, and the
records of those areas; and outcomes by its codes for what is wrong.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from aiohttp import web

Resource = dict[str, Any]

NHS: Final = "https://fhir.nhs.uk/Id/nhs-number"
_JSON: Final = "application/fhir+json"
_WARNING: Final = (
    "https://fhir.nhs.uk/STU3/StructureDefinition/"
    "Extension-CareConnect-GPC-ListWarningCode-1"
)
# By area: the List that groups it, and the types it brings.
AREAS: Final = {
    "includeAllergies": ("886921000000105", {"AllergyIntolerance"}),
    "includeMedication": (
        "933361000000108",
        {"MedicationRequest", "MedicationStatement", "Medication"},
    ),
    "includeConsultations": ("1149501000000101", {"Encounter"}),
    "includeProblems": ("717711000000103", {"Condition"}),
    "includeImmunisations": ("1102181000000102", {"Immunization"}),
    "includeUncategorisedData": ("826501000000100", {"Observation"}),
    "includeInvestigations": ("887191000000108", {"DiagnosticReport"}),
    "includeReferrals": ("792931000000107", {"ReferralRequest"}),
    "includeDiaryEntries": ("714311000000108", {"ProcedureRequest"}),
}


@dataclass(kw_only=True)
class Practice:
    """What the practice does besides answering."""

    lacks: frozenset[str] = frozenset()  # areas it cannot give, and warns of
    is_silent: bool = False  # it does not even warn
    warnings: Mapping[str, str] = field(default_factory=dict)  # by area
    status: int | None = None
    code: str | None = None  # of its outcome, with that status
    answers_with: str | None = None  # the id of the Patient, whoever is asked for
    hides_patient: bool = False


class StubPractice:
    """An aiohttp server; use it as an async context manager."""

    def __init__(
        self, resources: Iterable[Resource], *, does: Practice | None = None
    ) -> None:
        self.resources = list(resources)
        self.does = does or Practice()
        self.asked: list[Resource] = []  # the bodies it was sent
        self.base_url = ""
        app = web.Application()
        app.router.add_post("/fhir/Patient/{operation}", self._record)
        self._runner = web.AppRunner(app, handler_cancellation=True)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}/fhir"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _record(self, request: web.Request) -> web.Response:
        if request.match_info["operation"] != "$gpc.getstructuredrecord":
            return _outcome(404, "RESOURCE_NOT_FOUND")
        if request.content_type != _JSON or request.query_string:
            return _outcome(400, "BAD_REQUEST")
        body = json.loads(await request.read())
        self.asked.append(body)
        if self.does.status is not None:
            return _outcome(self.does.status, self.does.code or "INTERNAL_SERVER_ERROR")
        return self._answer(body)

    def _answer(self, body: Resource) -> web.Response:
        given = {one["name"]: one for one in body["parameter"]}
        if body["resourceType"] != "Parameters" or "patientNHSNumber" not in given:
            return _outcome(422, "INVALID_RESOURCE")
        patient = self._patient(given.pop("patientNHSNumber")["valueIdentifier"])
        if patient is None:
            return _outcome(404, "PATIENT_NOT_FOUND")
        if set(given) - set(AREAS):
            return _outcome(422, "INVALID_PARAMETER")
        return _reply(200, self._bundle(patient, given))

    def _patient(self, identifier: Resource) -> Resource | None:
        assert identifier["system"] == NHS
        wanted = {"system": NHS, "value": identifier["value"]}
        for one in self.resources:
            if one["resourceType"] != "Patient":
                continue
            if one["id"] == self.does.answers_with or (
                self.does.answers_with is None and wanted in one["identifier"]
            ):
                return one
        return None

    def _bundle(self, patient: Resource, areas: Mapping[str, Resource]) -> Resource:
        held = [] if self.does.hides_patient else [patient]
        for name, parameter in areas.items():
            code, types = AREAS[name]
            if name in self.does.lacks:
                held += [] if self.does.is_silent else [_unsupported()]
                continue
            parts = {one["name"] for one in parameter.get("part", ())}
            held.append(self._list(name, code, patient))
            held += [
                one
                for one in self.resources
                if one["resourceType"] in types
                and _is_about(one, patient)
                and _is_included(one, parts)
            ]
        profile = "https://fhir.nhs.uk/STU3/StructureDefinition/"
        return {
            "resourceType": "Bundle",
            "meta": {"profile": [f"{profile}GPConnect-StructuredRecord-Bundle-1"]},
            "type": "collection",
            "entry": [{"resource": one} for one in held],
        }

    def _list(self, area: str, code: str, patient: Resource) -> Resource:
        warning = self.does.warnings.get(area)
        said = [{"url": _WARNING, "valueCode": warning}] if warning else []
        return {
            "resourceType": "List",
            "status": "current",
            "mode": "snapshot",
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": code}]},
            "subject": {"reference": f"Patient/{patient['id']}"},
            "extension": said,
        }


def _is_about(resource: Resource, patient: Resource) -> bool:
    if resource["resourceType"] == "Medication":
        return True
    about = resource.get("subject") or resource.get("patient") or {}
    return bool(about.get("reference") == f"Patient/{patient['id']}")


def _is_included(resource: Resource, parts: set[str]) -> bool:
    """What a practice leaves out unless it is told to include it."""
    name = resource["resourceType"]
    if name == "AllergyIntolerance" and resource.get("clinicalStatus") == "resolved":
        return "includeResolvedAllergies" in parts
    if name == "MedicationRequest" and resource.get("intent") == "order":
        return "includePrescriptionIssues" in parts
    if name == "Immunization" and resource.get("notGiven"):
        return "includeNotGiven" in parts
    return True


def _unsupported() -> Resource:
    issue = {"severity": "warning", "code": "not-supported"}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _outcome(status: int, code: str) -> web.Response:
    issue = {
        "severity": "error",
        "code": "not-found" if status == 404 else "invalid",
        "details": {"coding": [{"code": code}]},
        "diagnostics": "not for us to repeat",
    }
    return _reply(status, {"resourceType": "OperationOutcome", "issue": [issue]})


def _reply(status: int, body: Resource) -> web.Response:
    return web.Response(
        status=status, body=json.dumps(body).encode(), content_type=_JSON
    )
