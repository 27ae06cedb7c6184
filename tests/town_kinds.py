"""The kinds of source that the town is loaded through, and what each tells otherwise.

Otherwise than memory does, for the kind's own reason: each has a check of its own, so
that a difference of another nature in the same field is not taken for it.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters.conformance import Carries
from adapters.contract import Event
from adapters.fhir.tables import NEGATIONS, STATUSES
from tests import drops, feeds, fhir_records, stu3, tables
from tests.opened import FHIR, FHIR_CARRIES, systems_of
from tests.parts.fhir_server import FhirServer
from tests.people import LOCAL

Told = dict[str, Any]  # an event of a journey, its provenance among its fields
# Writes the source file of these events into a folder; the last is the kind's server.
Write = Callable[[Path, Sequence[Event], Any], Awaitable[None]]

_BATCH: Final = 200
# The statuses of R4 but for those that say that a thing was not done. Problems and
# allergies have a concept for theirs, which servers take as it comes.
# Source: HL7 FHIR 4.0.1, the required value set of each type's status.
_R4: Final = {
    "Encounter": "planned arrived triaged in-progress onleave finished cancelled"
    " entered-in-error unknown",
    "ServiceRequest": "draft active on-hold revoked completed entered-in-error unknown",
    "EpisodeOfCare": "planned waitlist active onhold finished cancelled"
    " entered-in-error",
    "Procedure": "preparation in-progress on-hold stopped completed entered-in-error"
    " unknown",
    "Flag": "active inactive entered-in-error",
    "MedicationStatement": "active completed entered-in-error intended stopped on-hold"
    " unknown",
    "Immunization": "completed entered-in-error",
    "Observation": "registered preliminary final amended corrected cancelled"
    " entered-in-error unknown",
    "DiagnosticReport": "registered partial preliminary final amended corrected"
    " appended cancelled entered-in-error unknown",
    "DocumentReference": "current superseded entered-in-error",
    "CarePlan": "draft active on-hold revoked completed entered-in-error unknown",
    "CareTeam": "proposed active suspended inactive entered-in-error",
}


@dataclass(frozen=True, kw_only=True)
class Otherwise:
    """Why a field is told otherwise, and whether an event's is so for that reason."""

    because: str
    holds: Callable[[Told, Told], bool]  # of what the source told, and what memory did


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of source: what it has room for, and which fields it tells otherwise."""

    write: Write
    carries: Carries = field(default_factory=Carries)
    otherwise: Mapping[str, Otherwise] = field(default_factory=dict)
    server: str = ""  # the part it needs


async def _memory(folder: Path, events: Sequence[Event], _: Any) -> None:
    """What it holds is given to `memory` below."""
    (folder / "source.toml").write_text('kind = "memory"\n', "utf-8")


async def _csv(folder: Path, events: Sequence[Event], _: Any) -> None:
    drops.write_drop(folder, events, key=LOCAL)


async def _pipes(folder: Path, events: Sequence[Event], _: Any) -> None:
    style = drops.Style(delimiter="|", bom=True, quote_all=True, line_end="\r\n")
    drops.write_drop(folder, events, key=LOCAL, style=style)


async def _sqlite(folder: Path, events: Sequence[Event], _: Any) -> None:
    tables.write_sqlite(folder, events, key=LOCAL)


async def _postgres(folder: Path, events: Sequence[Event], server: Any) -> None:
    url = server.url
    await tables.write_postgres(folder, events, url=url, table="town", key=LOCAL)


async def _mariadb(folder: Path, events: Sequence[Event], server: Any) -> None:
    await tables.write_mariadb(folder, events, server=server, table="town", key=LOCAL)


async def _feed(folder: Path, events: Sequence[Event], _: Any) -> None:
    feeds.write_feed(folder, events, key=LOCAL)


async def _fhir(folder: Path, events: Sequence[Event], server: Any) -> None:
    resources = _in_r4(fhir_records.resources(events), events)
    if isinstance(server, FhirServer):
        _put(server, resources)
    else:
        server.resources = resources
    _write_fhir(folder, events, server.base_url)


async def _stu3(folder: Path, events: Sequence[Event], server: Any) -> None:
    server.resources = stu3.resources(events)
    _write_fhir(folder, events, server.base_url, version="STU3")


def _in_r4(resources: list[Told], events: Sequence[Event]) -> list[Told]:
    """With statuses in R4's own words, for the strict; Patients stand first."""
    for one, event in zip(resources[-len(events) :], events, strict=True):
        words = _words(one["resourceType"])
        if words:
            nearest = [own for own, ours in words.items() if ours == event.status]
            one["status"] = [*nearest, *words][0]
    return resources


def _words(name: str) -> dict[str, str]:
    """What R4 itself calls the statuses of a type, and what each is here."""
    own = _R4.get(name, "").split()
    return {word: STATUSES[name][word] for word in own}


def _write_fhir(
    folder: Path, events: Sequence[Event], url: str, *, version: str = "R4"
) -> None:
    systems = json.dumps(systems_of(events))
    text = FHIR.format(url=url, page_size=100, systems=systems)
    text = text.replace('kind = "fhir"\n', f'kind = "fhir"\nversion = "{version}"\n')
    (folder / "source.toml").write_text(text, "utf-8")


def _put(server: FhirServer, resources: Sequence[dict[str, Any]]) -> None:
    """Under ids of the town's own: a server may hold other tests' people too."""
    text = json.dumps(resources)
    for place in ("Patient/", '"id": "'):
        text = text.replace(f"{place}p-", f"{place}town-p-")
    own = json.loads(text)
    for start in range(0, len(own), _BATCH):
        entries = [
            {
                "resource": one,
                "request": {
                    "method": "PUT",
                    "url": f"{one['resourceType']}/{one['id']}",
                },
            }
            for one in own[start : start + _BATCH]
        ]
        kind = {"resourceType": "Bundle", "type": "transaction"}
        server.load(kind | {"entry": entries})


def _more_detail(*elements: str) -> Callable[[Told, Told], bool]:
    """All that memory tells, and beside it nothing but these."""

    def holds(mine: Told, memorys: Told) -> bool:
        more = [one for one in mine["detail"] if one not in memorys["detail"]]
        kept = [one for one in mine["detail"] if one in memorys["detail"]]
        return kept == memorys["detail"] and {e["element"] for e in more} <= set(
            elements
        )

    return holds


def _has_no_fhir_word(mine: Told, memorys: Told) -> bool:
    """In R4; in what the small STU3 server is given, more types have more words."""
    (name, _) = fhir_records._TYPES[memorys["kind"]]
    every = {own: ours for own, ours in STATUSES[name].items() if own not in NEGATIONS}
    return memorys["status"] not in (_words(name) or every).values()


def _has_no_message(mine: Told, memorys: Told) -> bool:
    """As HL7 v2 has it: an admission that has ended is no longer one."""
    if memorys["kind"] not in feeds.VISITS:
        return memorys["status"] not in _MESSAGES[memorys["kind"]]
    has_ended = memorys["end"] is not None and mine["status"] == "finished"
    is_told = memorys["status"] not in {"did-not-attend", "unknown"}
    return not is_told or (memorys["status"] == "active" and has_ended)


def _is_cancelled(mine: Told, memorys: Told) -> bool:
    return memorys["status"] == "cancelled" and mine["end"] is None


_STANDING: Final = (
    *("status", "verification", "class", "record", "intent", "taken", "service"),
)
_MESSAGES: Final = {
    "condition": feeds._PROBLEMS,
    "referral": feeds._REFERRALS,
    "document": {"finished", "entered-in-error"},
}
_FHIR: Final = {
    "id": Otherwise(
        because="is made of the record's id and version",
        holds=lambda mine, memorys: mine["record_id"] != memorys["record_id"],
    ),
    "record_id": Otherwise(
        because="FHIR gives ids per type, so that the type stands before it",
        holds=lambda mine, memorys: mine["record_id"].endswith(
            f"/{memorys['record_id']}"
        ),
    ),
    "kind_code": Otherwise(
        because="an encounter's class stands there",
        holds=lambda mine, memorys: (
            mine["kind_code"] == fhir_records._CLASSES.get(memorys["kind"])
        ),
    ),
    "recorded_at": Otherwise(
        because="requests and documents tell when they were written, as their start",
        holds=lambda mine, memorys: (
            memorys["kind"] in {"referral", "document"}
            and (memorys["recorded_at"], mine["recorded_at"]) == (None, mine["start"])
        ),
    ),
    "codes": Otherwise(
        because="plans and teams have no code of their own",
        holds=lambda mine, memorys: (
            memorys["kind"] in {"care_plan", "care_team"} and mine["codes"] == []
        ),
    ),
    "detail": Otherwise(
        because="the resource's own words of its status and standing stand there too",
        holds=_more_detail(*_STANDING),
    ),
    "status": Otherwise(
        because="the type has no word for the status", holds=_has_no_fhir_word
    ),
}
_HL7: Final = {
    "id": Otherwise(
        because="is made of the record's version too: a message's own id",
        holds=lambda mine, memorys: mine["record_id"] == memorys["record_id"],
    ),
    "kind_code": Otherwise(
        because="the class of a visit stands there",
        holds=lambda mine, memorys: mine["kind_code"] == memorys["kind"],
    ),
    "codes": Otherwise(
        because="a problem alone has a code, all else is told in words",
        holds=lambda mine, memorys: (
            memorys["kind"] != "condition" and mine["codes"] == []
        ),
    ),
    "detail": Otherwise(
        because="the message's own word of its status stands there",
        holds=_more_detail("status"),
    ),
    "status": Otherwise(because="no message tells the status", holds=_has_no_message),
    "organisation": Otherwise(
        because="a feed is of one organisation",
        holds=lambda mine, memorys: True,
    ),
    "end": Otherwise(because="what was cancelled has no end", holds=_is_cancelled),
    "end_precision": Otherwise(
        because="what was cancelled has no end", holds=_is_cancelled
    ),
    "caveats": Otherwise(
        because="an end that is not told stands in no wrong place",
        holds=_is_cancelled,
    ),
}

KINDS: Final = {
    "memory": Kind(write=_memory),
    "csv_drop": Kind(write=_csv),
    "csv_drop, pipes": Kind(write=_pipes),
    "sql, SQLite": Kind(write=_sqlite),
    "sql, PostgreSQL": Kind(write=_postgres, server="postgres"),
    "sql, MariaDB": Kind(write=_mariadb, server="mariadb"),
    "hl7v2": Kind(write=_feed, carries=feeds.CARRIES, otherwise=_HL7),
    "fhir, stub": Kind(
        write=_fhir, carries=FHIR_CARRIES, otherwise=_FHIR, server="stub"
    ),
    "fhir STU3, stub": Kind(
        write=_stu3, carries=FHIR_CARRIES, otherwise=_FHIR, server="stub"
    ),
    "fhir, HAPI": Kind(
        write=_fhir, carries=FHIR_CARRIES, otherwise=_FHIR, server="hapi"
    ),
    "fhir, Helios": Kind(
        write=_fhir, carries=FHIR_CARRIES, otherwise=_FHIR, server="helios"
    ),
}
