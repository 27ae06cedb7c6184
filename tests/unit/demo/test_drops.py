"""The demo's CSV drops: as such organisations hand them over."""

import csv
import io
from datetime import UTC, date, datetime

from gateway.demo import drops
from gateway.demo.chronicle import Place
from gateway.demo.dirt import UNREADABLE_ROWS
from gateway.demo.telling import tell

CHRONICLE = tell(7, date(2026, 11, 23))
AMBULANCE = drops.ambulance(CHRONICLE.at(Place.AMBULANCE))
COUNCIL = drops.social_care(CHRONICLE.at(Place.SOCIAL_CARE))


def rows(drop: drops.Drop, encoding: str, delimiter: str) -> list[dict[str, str]]:
    text = drop.content.decode(encoding)
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


def test_the_ambulance_sends_pipes_with_a_byte_order_mark():
    assert AMBULANCE.content.startswith(b"\xef\xbb\xbfleg_id|")
    read = rows(AMBULANCE, "utf-8-sig", "|")
    assert len(read) == AMBULANCE.rows == len(CHRONICLE.at(Place.AMBULANCE))
    assert {row["leg"] for row in read} == {"CALL", "SCENE", "CONVEY"}


def test_the_council_sends_commas_in_cp1252():
    read = rows(COUNCIL, "cp1252", ",")
    assert b"Bront\xeb" in COUNCIL.content
    assert len(read) == COUNCIL.rows
    assert COUNCIL.rows == len(CHRONICLE.at(Place.SOCIAL_CARE)) + UNREADABLE_ROWS
    assert {row["Event_Type"] for row in read} == {
        "Request",
        "Assessment",
        "Service",
        "Review",
    }


def test_an_unreadable_row_has_its_own_reference_and_no_date():
    odd = [r for r in rows(COUNCIL, "cp1252", ",") if r["Event_Reference"][-1] == "X"]
    assert [row["Event_Start_Date"] for row in odd] == ["see notes"] * UNREADABLE_ROWS


def test_a_service_still_going_on_is_open_and_has_no_end():
    read = rows(COUNCIL, "cp1252", ",")
    still = [row for row in read if row["Event_Status"] == "Open"]
    assert len(still) > 20
    assert all(not row["Event_End_Date"] for row in still)


def test_a_drop_says_when_it_was_cut():
    today = date(2026, 11, 23)
    assert drops.as_of(today) == datetime(2026, 11, 22, 22, tzinfo=UTC)
    assert drops.as_of(today, days_late=9) == datetime(2026, 11, 13, 22, tzinfo=UTC)
