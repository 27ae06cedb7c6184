"""Further pages of a FHIR server: which are followed, and what they must add up to."""

import json
from typing import ClassVar

import pytest

from tests.fhir_asking import about, asking, caveats, observation, patient
from tests.stub_fhir import Misbehaviour, StubFhir

pytestmark = pytest.mark.fault
DAYS = [observation(f"o{day:02d}", f"2024-03-{day:02d}") for day in range(1, 10)]


async def ask(folder, resources, *, wrong, settings=""):
    async with (
        StubFhir(resources, wrong=wrong) as server,
        asking(server.base_url, folder, settings) as adapter,
    ):
        return await adapter.ask(about()), server


@pytest.mark.parametrize("how", ["loop", "foreign", "outside", "lost"])
async def test_a_next_page_is_followed_only_where_it_belongs(tmp_path, how):
    answer, server = await ask(
        tmp_path,
        [patient(), *DAYS],
        wrong=Misbehaviour(next_page=how),
        settings="page_size = 2",
    )
    assert caveats(answer)["truncated"] == 1
    assert 2 <= len(answer.events) <= 8
    assert not any("admin" in asked.path for asked in server.asked)


async def test_pages_that_overlap_give_each_record_once(tmp_path):
    answer, _ = await ask(
        tmp_path,
        [patient(), *DAYS],
        wrong=Misbehaviour(repeats=True),
        settings="page_size = 3",
    )
    assert len(answer.events) == 9
    assert caveats(answer)["duplicate_record"] == 2


async def test_fewer_than_the_server_counted_is_truncated(tmp_path):
    answer, _ = await ask(tmp_path, [patient(), *DAYS], wrong=Misbehaviour(total=10))
    assert len(answer.events) == 9
    assert caveats(answer)["truncated"] >= 1


async def test_pages_that_overlap_make_up_for_no_lost_record(tmp_path):
    """Catches a record twice on the pages counted as two that came."""
    answer, _ = await ask(
        tmp_path,
        [patient(), *DAYS],
        wrong=Misbehaviour(repeats=True, total=11),
        settings='page_size = 3\ntypes = ["Observation"]',
    )
    assert len(answer.events) == 9
    assert caveats(answer)["truncated"] == 2  # the Patient too is fewer than eleven


async def test_more_than_the_server_counted_is_a_count_that_shows_nothing(tmp_path):
    answer, _ = await ask(
        tmp_path,
        [patient(), *DAYS],
        wrong=Misbehaviour(total=1),
        settings='types = ["Observation"]',
    )
    assert len(answer.events) == 9
    assert caveats(answer) == {"total_differs": 1}


async def test_a_continuation_at_the_base_need_not_repeat_the_question(tmp_path):
    """As HAPI has it: `?_getpages=…&_count=2`, which names no type."""

    class Continued(StubFhir):
        kept: ClassVar[list[tuple[str, list[tuple[str, str]]]]] = []

        def _next(self, name, parameters, offset):
            link = super()._next(name, parameters, offset)
            opaque = f"{self.base_url}?_getpages={len(self.kept)}&_count=2"
            self.kept.append((name, [*parameters, ("_offset", str(offset))]))
            return link | {"url": opaque}

        async def _reply(self, asked):
            given = dict(asked.parameters)
            if "_getpages" not in given:
                return await super()._reply(asked)
            name, parameters = self.kept[int(given["_getpages"])]
            body = json.dumps(self._searchset(name, parameters)).encode()
            return 200, "application/fhir+json", body

    for wrong in (Misbehaviour(), Misbehaviour(refuses_post=405)):
        server = Continued([patient(), *DAYS], wrong=wrong)
        server.kept.clear()
        async with (
            server,
            asking(server.base_url, tmp_path, "page_size = 2") as adapter,
        ):
            answer = await adapter.ask(about())
        assert len(answer.events) == len(DAYS)
        assert "truncated" not in caveats(answer)
