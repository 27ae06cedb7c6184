"""The queue of broken glass: read and looked over by others than who broke it."""

import pytest

from tests.gateways import PERSON, RECIPIENT, code_of, fields_of
from tests.glass import (
    REASON,
    SURGERY,
    office,
    records_of,
    stored,
    ward,
    write_glass_gateway,
)
from tests.houses import clause
from tests.people import number

REVIEW = "/v1/break-glass"


@pytest.fixture
async def gateway(tmp_path):
    async with (
        office() as told,
        ward(write_glass_gateway(tmp_path, told.address)) as opened,
    ):
        yield opened


def reviewer(gateway, **said):
    return gateway.as_("office", **{"role": "privacy-officer", "subject": "po"} | said)


async def queue(gateway, address=REVIEW, **said):
    response = await gateway.client.get(address, headers=reviewer(gateway, **said))
    assert response.status_code == 200
    return response.json()


async def reviewed(gateway, id_, finding="appropriate", **said):
    return await gateway.client.post(
        f"{REVIEW}/{id_}/review",
        json={"finding": finding},
        headers=reviewer(gateway, **said),
    )


async def test_the_queue_shows_who_broke_it_and_why_and_by_when_to_review(gateway):
    said = (await gateway.declares()).json()
    (card,) = (await queue(gateway))["items"]
    assert card["id"] == said["id"]
    assert (card["who"], card["role"], card["client_id"]) == (
        "demo-user",
        "doctor",
        "ward",
    )
    assert (card["reason_code"], card["reason"]) == ("life-threatening", REASON)
    assert card["declared_at"] == "2026-03-01T12:00:00.000000Z"
    # A Sunday: Monday, Tuesday, and the end of Wednesday.
    assert card["review_by"] == "2026-03-05T00:00:00.000000Z"
    assert (card["ended_at"], card["overdue"]) == (None, False)
    assert PERSON not in str(card)
    assert [each["action"] for each in records_of(gateway, "break_glass")] == [
        "declared",
        "listed",
    ]


async def test_what_nobody_reviewed_in_time_is_overdue(gateway):
    await gateway.declares()
    gateway.clock.pass_by(3.5 * 86_400)
    assert not (await queue(gateway))["items"][0]["overdue"]
    gateway.clock.pass_by(3600)
    assert (await queue(gateway))["items"][0]["overdue"]


async def test_a_review_keeps_the_finding_and_deletes_the_words(gateway):
    said = (await gateway.declares()).json()
    done = await reviewed(gateway, said["id"], "escalated")
    assert (done.status_code, done.content) == (204, b"")
    assert (await queue(gateway))["items"] == []
    declared, review, _ = records_of(gateway, "break_glass")
    assert (review["action"], review["finding"]) == ("reviewed", "escalated")
    assert review["glass"] == declared["glass"]
    assert review["subjects"] == declared["subjects"]
    assert len(declared["reason_hmac"]) == 64
    again = await reviewed(gateway, said["id"])
    assert (again.status_code, code_of(again)) == (409, "conflict")


async def test_a_glass_that_was_looked_over_opens_nothing_more(tmp_path):
    opening = clause(relationships=["none"], break_glass="only")
    async with (
        office() as told,
        ward(write_glass_gateway(tmp_path, told.address, opening)) as gateway,
    ):
        said = (await gateway.declares()).json()
        before = await gateway.asks(break_glass=said["token"])
        await reviewed(gateway, said["id"], "not-appropriate")
        after = await gateway.asks(break_glass=said["token"])
    assert before.status_code == 200
    assert (after.status_code, code_of(after)) == (403, "not-permitted")


async def test_nobody_reviews_their_own(gateway):
    said = (await gateway.declares()).json()
    own = await reviewed(gateway, said["id"], subject="demo-user")
    assert (own.status_code, code_of(own)) == (403, "not-permitted")


async def test_another_organisations_glass_is_not_there(gateway):
    said = (await gateway.declares()).json()
    assert (await queue(gateway, organisation=SURGERY))["items"] == []
    other = await reviewed(gateway, said["id"], organisation=SURGERY)
    assert (other.status_code, code_of(other)) == (404, "not-found")
    none = await reviewed(gateway, "bgl_none")
    assert (none.status_code, code_of(none)) == (404, "not-found")


async def test_the_queue_is_for_reviewers(gateway):
    said = (await gateway.declares()).json()
    doctor = gateway.as_()
    for response in (
        await gateway.client.get(REVIEW, headers=doctor),
        await gateway.client.post(
            f"{REVIEW}/{said['id']}/review",
            json={"finding": "appropriate"},
            headers=doctor,
        ),
    ):
        assert (response.status_code, code_of(response)) == (403, "not-permitted")


async def test_a_finding_of_no_list_is_refused(gateway):
    said = (await gateway.declares()).json()
    wrong = await reviewed(gateway, said["id"], "fine")
    assert (wrong.status_code, code_of(wrong)) == (400, "request-invalid")
    assert fields_of(wrong) == [("/finding", "unknown")]


async def test_the_queue_is_read_page_by_page_and_misses_none(gateway):
    made = []
    for nth in range(5):
        said = await gateway.declares(f"k{nth}", nhs_number=number(nth))
        made.append(said.json()["id"])
        gateway.clock.pass_by(nth % 2)
    seen, following = [], f"{REVIEW}?limit=2"
    while following:
        page = await queue(gateway, following)
        seen += [each["id"] for each in page["items"]]
        cursor = page["next"]
        following = cursor and f"{REVIEW}?limit=2&cursor={cursor}"
    assert sorted(seen) == sorted(made)
    assert len(set(seen)) == 5


@pytest.mark.parametrize("cursor", ["%21", "YQ%3D%3D%3D", "%C3%A9", "gICA"])
async def test_a_cursor_of_anothers_making_is_refused(gateway, cursor):
    response = await gateway.client.get(
        f"{REVIEW}?cursor={cursor}", headers=reviewer(gateway)
    )
    assert (response.status_code, code_of(response)) == (400, "request-invalid")
    assert fields_of(response) == [("/cursor", "invalid")]


async def test_a_reason_whose_key_is_gone_is_not_there_and_stops_nothing(tmp_path):
    async with office() as told:
        config = write_glass_gateway(tmp_path, told.address)
        async with ward(config) as gateway:
            said = (await gateway.declares()).json()
        key = tmp_path / "keys" / "glass.key"
        key.chmod(0o600)
        key.write_text("0123456789abcdef" * 4, "utf-8")
        async with ward(config) as gateway:
            (card,) = (await queue(gateway))["items"]
            assert (card["id"], card["reason"]) == (said["id"], None)
            refused = await gateway.asks(break_glass=said["token"])
            assert refused.status_code == 403
            assert (await reviewed(gateway, said["id"])).status_code == 204


async def test_a_reason_is_nowhere_in_the_store_in_plain(gateway):
    await gateway.declares()
    assert REASON.encode() not in stored(gateway)
    assert RECIPIENT.encode() in stored(gateway)  # so that we looked in the right place


async def test_a_queue_that_cannot_be_read_is_not_an_empty_one(gateway):
    await gateway.service.database.transact(
        lambda store: store.exec_driver_sql("DROP TABLE break_glass")
    )
    response = await gateway.client.get(REVIEW, headers=reviewer(gateway))
    assert (response.status_code, code_of(response)) == (503, "audit-unavailable")
