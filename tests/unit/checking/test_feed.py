"""Messages of a feed are counted by what their headers and PID-3 say, and no more."""

import os

import pytest

from adapters import nhs_number
from gateway.checking.feed import profile_feed
from tests.checks import registered_in
from tests.people import number

SOURCE = """
kind = "hl7v2"
directory = "feed"
pattern = "*.hl7"
reads = ["ADT"]
key = "urn:example:mrn"

[authorities]
"MARSH" = "urn:example:mrn"
"NHS" = "https://fhir.nhs.uk/Id/nhs-number"
"""


def message(n, *, kind="ADT^A01", at="20250301091000", nhs=None, control=None):
    told = nhs or number(n)
    return (
        f"MSH|^~\\&|PAS|Z|TL|Z|{at}||{kind}|{control or n}|P|2.4\r"
        f"PID|1||H{n}^^^MARSH^MR~{told}^^^NHS^NH~X{n}^^^OLD||Oak^Ann\r"
        "PV1|1|I\r"
    )


@pytest.fixture
def registered(tmp_path):
    found = registered_in(tmp_path)
    (tmp_path / "sources" / "gp.toml").write_text(SOURCE, "utf-8")
    (tmp_path / "sources" / "feed").mkdir()
    return found


def fill(registered, *files):
    for nth, messages in enumerate(files):
        path = registered.source.file.parent / "feed" / f"{nth}.hl7"
        path.write_text("".join(messages), "utf-8", newline="")
        os.utime(path, (1_700_000_000 + nth * 3600,) * 2)


def profiled(registered, *, most=100):
    found = profile_feed(registered, most=most)
    assert found is not None
    return found


def column(profile, name):
    (found,) = (each for each in profile.columns if each.column == name)
    return found


def test_messages_are_counted_by_type_time_and_number(registered):
    wrong = [message(n, nhs="1234567890") for n in range(100, 103)]
    fill(registered, [message(n) for n in range(8)], wrong)
    found = profiled(registered)
    assert (found.rows, found.is_whole, len(found.arrivals)) == (11, True, 2)
    assert column(found, "MSH-10").distinct == 11
    assert column(found, "MSH-7").first == "2025-03"
    numbers = column(found, "PID-3 of NHS")
    assert (numbers.valid, numbers.invalid) == (8, 3)
    assert column(found, "PID-3 of MARSH").valid is None
    assert column(found, "PID-3 of OLD").key == "not mapped"


def test_types_that_are_not_read_are_named_if_five_people_have_them(registered):
    strange = [message(n, kind="ZZZ^Z01") for n in range(5)]
    rare = [message(9, kind="YYY^Y01")]
    fill(registered, [*strange, *rare])
    kinds = column(profiled(registered), "MSH-9")
    assert (kinds.untranslated, kinds.words) == (6, ("ZZZ",))


def test_what_is_sent_again_and_what_takes_anothers_id_are_told_apart(registered):
    fill(registered, [message(1), message(1), message(2, control=1)])
    found = profiled(registered)
    assert (found.repeated_rows, found.repeated_ids) == (1, 1)


def test_times_that_are_none_are_counted(registered):
    fill(
        registered,
        [message(1, at="soon"), message(2, at=""), message(3, at="20251301")],
    )
    found = column(profiled(registered), "MSH-7")
    assert (found.filled, found.unreadable, found.first) == (2, 2, None)


def test_what_is_no_message_is_counted_by_its_reason(registered):
    fill(registered, ["no message\r", message(1)])
    found = profiled(registered)
    assert found.rejected == {"no_header": 1}


def test_no_more_messages_are_read_than_asked(registered):
    fill(registered, [message(n) for n in range(8)])
    found = profiled(registered, most=3)
    assert (found.rows, found.is_whole) == (3, False)


def test_nobody_stands_in_a_profile_of_messages(registered):
    fill(registered, [message(n) for n in range(8)])
    told = str(profiled(registered).as_json())
    assert not nhs_number.is_within(told)
    assert "Oak" not in told


def test_other_kinds_and_no_messages_have_no_profile(registered):
    assert profile_feed(registered, most=0) is None
    file = registered.source.file
    over_mllp = SOURCE.replace('directory = "feed"\n', "") + "\n[mllp]\nport = 0\n"
    file.write_text(over_mllp, "utf-8")
    assert profile_feed(registered, most=10) is None
    file.write_text('kind = "fhir"\n', "utf-8")
    assert profile_feed(registered, most=10) is None
