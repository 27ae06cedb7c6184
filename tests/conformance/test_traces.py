"""Every adapter that tells what its source merged, beside memory."""

from datetime import UTC, datetime

import pytest

from adapters import nhs_number
from adapters.conformance import MERGED, UNDONE, TracesContract
from adapters.conformance.merges import SUCCESSOR, SUPERSEDED
from adapters.conformance.population import KEY
from adapters.contract import Traces
from adapters.memory import MemoryAdapter
from tests import hl7
from tests.fhir_asking import asking
from tests.hl7 import adt, message, segment
from tests.stub_fhir import StubFhir


class TestMemory(TracesContract):
    @pytest.fixture
    def history(self):
        now = datetime.now(UTC)
        adapter = MemoryAdapter((), sector="acute", held=frozenset(), as_of=now)
        adapter.traced = (*UNDONE, *MERGED)
        return adapter


def named(*identifiers):
    return [{"system": s, "value": value} for s, value in identifiers]


BEFORE = {
    "resourceType": "Patient",
    "id": "p-1",
    "identifier": named((KEY, "H-2001")),
    "link": [{"type": "replaced-by", "other": {"reference": "Patient/p-2"}}],
}
AFTER = {
    "resourceType": "Patient",
    "id": "p-2",
    "identifier": [
        *named((KEY, "H-2002"), (nhs_number.SYSTEM, SUCCESSOR.value)),
        *(
            {**each, "use": "old"}
            for each in named((SUPERSEDED.system, SUPERSEDED.value))
        ),
    ],
    "link": [{"type": "replaces", "other": {"reference": "Patient/p-1"}}],
}


class TestFhir(TracesContract):
    undoes = False

    @pytest.fixture
    async def history(self, tmp_path):
        systems = f'[identifiers]\nsystems = ["{nhs_number.SYSTEM}", "{KEY}"]\n'
        async with (
            StubFhir([BEFORE, AFTER]) as server,
            asking(server.base_url, tmp_path, systems) as adapter,
        ):
            assert isinstance(adapter, Traces)
            yield adapter


def ids(key, number=None):
    own = f"{key}^^^HOSP^MR"
    return own if number is None else f"{own}~{number.value}^^^NHS^NH"


def pid(*named):
    return segment("PID", {3: ids(*named)})


def mrg(*named):
    return segment("MRG", {1: ids(*named)})


MESSAGES = (
    adt("A28", pid("H-2002", SUPERSEDED), at="20240201"),
    adt("A28", pid("H-2001"), at="20240201"),
    adt("A47", pid("H-2002", SUCCESSOR), mrg("H-2002", SUPERSEDED), at="202403010900"),
    adt("A40", pid("H-2002", SUCCESSOR), mrg("H-2001"), at="202403020900"),
    adt("A28", pid("H-3001"), at="20240201"),
    adt("A28", pid("H-3002"), at="20240201"),
    adt("A40", pid("H-3002"), mrg("H-3001"), at="202403030900"),
    message(
        "ADT^A37",
        segment("EVN", {2: "202403040900"}),
        pid("H-3001"),
        pid("H-3002"),
        at="202403040900",
    ),
)


class TestHl7v2(TracesContract):
    @pytest.fixture
    async def history(self, tmp_path):
        source = hl7.SOURCE.replace(hl7.KEY, KEY)
        async with hl7.feed(tmp_path, *MESSAGES, source=source) as adapter:
            yield adapter
