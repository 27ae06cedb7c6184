"""Messages as they are found: marks, escapes, repetitions, deletions, broken lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.hl7v2.message import Malformed, Marks, Message, Segment, unescaped
from tests.feeds import escaped

HEADER = "MSH|^~\\&|APP|SITE|||20240309||ADT^A01^ADT_A01|c1|P|2.5"


def one(message: Message, name: str) -> Segment:
    """Its segment of that name."""
    found = message.one(name)
    assert found is not None
    return found


def parse(*lines: str) -> Message:
    return Message.parse("\r".join((HEADER, *lines)))


def test_the_header_names_type_trigger_control_and_sender():
    message = parse()
    assert (message.type, message.trigger, message.control) == ("ADT", "A01", "c1")
    assert message.sender == "APP|SITE"
    assert message.header.whole(1) == "|"
    assert message.header.whole(2) == "^~\\&"
    assert message.header.whole(12) == "2.5"


@pytest.mark.parametrize(
    ("kind", "event", "trigger"),
    [
        ("ADT^A02", None, "A02"),
        ("ADT^^ADT_A03", None, "A03"),
        ("ADT", "EVN|A04", "A04"),
        ("ADT", "EVN||2024", ""),
        ("ADT", None, ""),
    ],
)
def test_the_trigger_is_taken_from_where_it_stands(kind, event, trigger):
    header = f"MSH|^~\\&|A|B|||||{kind}"
    assert Message.parse("\r".join(filter(None, (header, event)))).trigger == trigger


def test_a_doubled_escape_mark_in_the_header_is_one():
    message = Message.parse(HEADER.replace("^~\\&", "^~\\\\&") + "\rPID|1||A&B^C~D")
    assert message.header.marks == Marks()
    pid = one(message, "PID")
    assert [each.text() for each in pid.each(3)] == ["A", "D"]
    assert pid.text(3, 2) == "C"


def test_other_marks_divide_as_well():
    message = Message.parse("MSH#*!?%#APP#SITE#####ADT*A01\rPID###a*b!c%d*e")
    pid = one(message, "PID")
    first, second = pid.each(3)
    assert (first.text(), first.text(2)) == ("a", "b")
    assert (second.text(1), second.text(1, 2), second.text(2)) == ("c", "d", "e")
    assert message.trigger == "A01"


@pytest.mark.parametrize(
    "header",
    [
        "MSH",
        "MSHA^~\\&|",
        "MSH |",
        "MSH||APP",
        "MSH|^^\\&|A",
        "MSH|a~\\&|A",
        "MSH|^ \\&|A",
        "MSH||",
    ],
)
def test_marks_that_divide_nothing_are_refused(header):
    with pytest.raises(Malformed) as caught:
        Message.parse(header)
    assert (caught.value.reason, caught.value.segment) == ("bad_delimiters", "MSH")


def test_a_header_without_a_type_is_refused():
    with pytest.raises(Malformed, match="no_message_type"):
        Message.parse("MSH|^~\\&|A|B")


def test_marks_the_header_leaves_out_do_not_occur():
    message = Message.parse("MSH|^|A|B|||||ADT^A01\rPID|||A~B&C")
    assert [e.text() for e in one(message, "PID").each(3)] == ["A~B&C"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"a\F\b\S\c\T\d\R\e\E\f", "a|b^c&d~e\\f"),
        (r"\H\loud\N\ quiet", "loud quiet"),
        (r"one\.br\two", "one two"),
        (r"\.sp+2\x", " x"),
        (r"caf\XC3A9\ ", "café "),
        (r"caf\XE9\ ", "café "),
        (r"\Z1\kept", r"\Z1\kept"),
        (r"a\rb", r"a\rb"),
        (r"half \F", r"half \F"),
        ("plain", "plain"),
    ],
)
def test_escapes_are_what_they_stand_for(written, meant):
    assert unescaped(written, Marks()) == meant


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=40))
def test_what_is_escaped_is_read_back(text):
    """Catches an escape mark that is not escaped itself."""
    assert unescaped(escaped(text), Marks()) == text


def test_a_field_may_say_nothing_or_delete_or_say():
    pid = one(parse('PID|1||""|  |x'), "PID")
    assert (pid.is_deleted(3), pid.is_deleted(4), pid.is_deleted(9)) == (
        True,
        False,
        False,
    )
    assert [pid.text(n) for n in (3, 4, 5, 9)] == [None, None, "x", None]
    assert list(pid.each(3)) == []


def test_a_deleted_component_says_nothing():
    assert one(parse('PID|||""^b'), "PID").text(3) is None


def test_a_line_that_begins_no_segment_goes_on_with_the_one_before():
    message = parse("NTE|1||first line", "second line", "", "PID|1")
    assert one(message, "NTE").text(3) == "first line second line"
    assert [each.name for each in message.segments] == ["MSH", "NTE", "PID"]


def test_a_segment_may_stand_without_fields():
    message = parse("PD1", "ZZ9 ")
    assert [each.name for each in message.segments] == ["MSH", "PD1", "ZZ9"]


def test_what_is_written_is_read_back():
    message = parse("PID|1||A^B~C", "PV1|1|I")
    assert Message.parse(message.text) == message


def test_neither_message_nor_segment_shows_what_it_holds():
    message = parse("PID|1||Secret")
    assert "Secret" not in f"{message!r}{message.segments[1]!r}"
