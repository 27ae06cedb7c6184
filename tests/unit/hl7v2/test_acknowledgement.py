"""What a sender is answered: nothing of the patient, and always a reason."""

import pytest

from adapters.hl7v2.acknowledgement import REASONS, acknowledgement
from tests.surroundings import NOW

SENT = b"MSH|^~\\&|APP|SITE|TO|THERE|2024||ADT^A01^ADT_A01|c1|T|2.3.1\rPID|1||Secret\r"


def answered(received: bytes, **more) -> list[str]:
    said = acknowledgement(received, at=NOW, number=7, **more)
    return said.decode().split("\r")


def test_it_goes_back_to_whoever_sent_it():
    header, receipt, end = answered(SENT)
    fields = header.split("|")
    assert fields[2:6] == ["TO", "THERE", "APP", "SITE"]
    assert fields[6] == "20310506120000+0000"
    assert fields[8:12] == ["ACK^A01^ACK", "20310506120000000007", "T", "2.3.1"]
    assert (receipt, end) == ("MSA|AA|c1", "")


@pytest.mark.parametrize("reason", list(REASONS))
def test_each_refusal_has_a_code_of_the_standard(reason):
    _, receipt, error, _ = answered(SENT, reason=reason, segment="PID")
    code, number, told = REASONS[reason]
    assert receipt == f"MSA|{code}|c1"
    assert error == f"ERR||PID|{number}^{told}^HL70357|E"


@pytest.mark.parametrize(
    "received",
    [b"", b"MSH", b"PID|1||Secret", b"MSH|^^\\&|a|b|Secret", b"\xff\xfe\x00"],
)
def test_a_header_that_cannot_be_read_is_answered_all_the_same(received):
    header, receipt, _, _ = answered(received, reason="no_header")
    assert header.split("|")[8:] == ["ACK", "20310506120000000007", "P", "2.4"]
    assert receipt == "MSA|AR|"
    assert "Secret" not in header


def test_fields_with_marks_of_another_header_are_not_repeated():
    header, receipt, *_ = answered(b"MSH#*!?%#A|B#C#####ADT*A01#c1")
    assert header.split("|")[4:6] == ["", ""]
    assert receipt == "MSA|AA|"


def test_a_trigger_that_is_no_word_is_not_repeated():
    header, *_ = answered(b"MSH|^~\\&|A|B|||1||ADT^<x>|1")
    assert header.split("|")[8] == "ACK"
