"""A folder with everything the demo needs: sources, configuration, policy, keys."""

import csv
import io
import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Final

from gateway.access.demo_issuer import create_keys
from gateway.audit.keys import create_key
from gateway.demo import agreements, databases, drops
from gateway.demo.breakage import LATE_DAYS, Breakage, Fault, fault_of, misfiled
from gateway.demo.chronicle import (
    ORGANISATIONS,
    Chronicle,
    Organisation,
    Place,
    Resident,
)
from gateway.demo.configuration import configuration
from gateway.demo.fhir_resources import patient, resource
from gateway.demo.telling import tell

_OURS: Final = ("keys", "policy", "sources", "state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What was written, and whom to ask for."""

    folder: Path
    star: Resident
    chronicle: Chronicle

    @property
    def configuration(self) -> Path:
        return self.folder / "throughline.toml"

    def fhir_data(self, place: Place) -> Path:
        """The resources that the FHIR server of a place serves."""
        return self.folder / "sources" / f"{place}.ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How the folder is to be: `fhir_urls` are the base URLs of the two servers."""

    seed: int
    today: date
    fhir_urls: Mapping[Place, str]
    port: int = 8000
    breakages: tuple[Breakage, ...] = ()


def prepare(folder: Path, wanted: Wanted) -> Prepared:
    """Write everything under `folder`, which is made; what stands there is replaced.

    The same seed, day, URLs and port give the same bytes, but for the keys.
    """
    chronicle = tell(wanted.seed, wanted.today)
    prepared = Prepared(folder=folder, star=chronicle.star, chronicle=chronicle)
    _clear(folder)
    for organisation in ORGANISATIONS:
        fault = fault_of(wanted.breakages, organisation)
        _write_source(prepared, organisation, fault)
        _write_source_file(folder, organisation, wanted.fhir_urls)
    _write_policy(folder, wanted.today)
    _write_people(folder, chronicle.residents)
    create_keys(folder / "keys")
    create_key(folder / "keys" / "audit.key")
    prepared.configuration.write_text(configuration(wanted.port), "utf-8")
    return prepared


def _clear(folder: Path) -> None:
    """Remove what an earlier demo wrote, and nothing else that may stand there."""
    for name in _OURS:
        shutil.rmtree(folder / name, ignore_errors=True)
    for store in folder.glob("throughline.db*"):
        store.unlink()


def _write_source(
    prepared: Prepared, organisation: Organisation, fault: Fault | None
) -> None:
    """What the source holds. A FHIR server's faults are its process's own."""
    held = prepared.chronicle.at(organisation.place)
    if organisation.kind != "fhir" and fault is Fault.BROKEN:
        return
    entries = misfiled(held) if fault is Fault.WRONG else held
    slow = fault is Fault.SLOW
    sources = prepared.folder / "sources"
    cut = drops.as_of(prepared.chronicle.today, days_late=LATE_DAYS if slow else 0)
    match organisation.place:
        case Place.GP | Place.ACUTE:
            _write_resources(prepared, organisation.place)
        case Place.COMMUNITY:
            databases.write_community(sources / "community.db", entries, slow=slow)
        case Place.MENTAL_HEALTH:
            database = sources / "mental-health.db"
            databases.write_mental_health(database, entries, slow=slow)
        case Place.AMBULANCE:
            drops.ambulance(entries).write(sources / "drops" / "ambulance", cut)
        case Place.SOCIAL_CARE:
            drops.social_care(entries).write(sources / "drops" / "social-care", cut)


def _write_resources(prepared: Prepared, place: Place) -> None:
    entries = prepared.chronicle.at(place)
    known = {entry.resident.number: entry.resident for entry in entries}
    # A surgery knows everyone who is registered, seen or not.
    people = prepared.chronicle.residents if place is Place.GP else known.values()
    held = [patient(one, place) for one in people] + [resource(e) for e in entries]
    path = prepared.fhir_data(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(one, ensure_ascii=False) + "\n" for one in held]
    path.write_text("".join(lines), "utf-8")


def _write_source_file(
    folder: Path, organisation: Organisation, fhir_urls: Mapping[Place, str]
) -> None:
    place = organisation.place
    template = files("gateway.demo") / "sources" / f"{place}.toml"
    text = template.read_text("utf-8")
    if organisation.kind == "fhir":
        text = text.replace("{base_url}", fhir_urls[place])
    path = folder / "sources" / f"{place}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _write_policy(folder: Path, today: date) -> None:
    policy = folder / "policy"
    policy.mkdir(parents=True, exist_ok=True)
    agreed = agreements.as_yaml(agreements.documents(today))
    signed = agreements.as_yaml(tuple(agreements.signatures(today)))
    (policy / "agreements.yaml").write_text(agreed, "utf-8")
    (policy / "signatures.yaml").write_text(signed, "utf-8")


def _write_people(folder: Path, residents: Iterable[Resident]) -> None:
    """Whom one may ask for, and what befell them; all of them synthetic."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("nhs_number", "given", "family", "born", "story"))
    writer.writerows(
        (r.nhs_number, r.given, r.family, r.birth_date.isoformat(), r.story)
        for r in residents
    )
    (folder / "people.csv").write_text(text.getvalue(), "utf-8")
