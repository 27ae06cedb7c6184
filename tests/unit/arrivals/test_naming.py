"""The names of files are plain ones, and such as the source reads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.arrivals.naming import cleaned, is_plain, name_of
from adapters.arrivals.settings import Inbox

ID = "20240301120000000000_1B8F53"


def taking(*patterns):
    return Inbox(take=patterns)


@pytest.mark.parametrize(
    ("pattern", "sent", "unique", "name"),
    [
        ("*.csv", "a.csv", True, f"a.{ID}.csv"),
        ("*.csv", "a.csv", False, "a.csv"),
        ("*.csv", f"{ID}.dat", True, f"{ID}.csv"),
        ("*.csv", None, True, f"{ID}.csv"),
        ("*.csv", None, False, f"{ID}.csv"),
        ("*.csv", "a.dat", True, f"a.{ID}.csv"),
        ("*.csv", "a.CSV", False, "a.csv"),
        ("*.csv", "no suffix", True, f"no_suffix.{ID}.csv"),
        ("cld-*.csv", "cld-0501.csv", True, f"cld-0501.{ID}.csv"),
        ("cld-*.csv", "X26.dat", True, f"cld-X26.{ID}.csv"),
        ("cld.csv", "cld.csv", True, "cld.csv"),
        ("cld.csv", "other.csv", False, "cld.csv"),
        ("[ab]*.csv", "a.csv", True, f"a.{ID}.csv"),
        ("a?c.csv", "abc.csv", False, "abc.csv"),
        ("a?c.csv", "abc.csv", True, ""),
        ("*", "a.hl7", True, f"a.{ID}.hl7"),
        ("*.csv", "../../etc/passwd", True, f"passwd.{ID}.csv"),
        ("*.csv", "C:\\drops\\a.csv", False, "a.csv"),
        ("*.csv", ".hidden.csv", False, "hidden.csv"),
        ("*.csv", "...", False, f"{ID}.csv"),
        ("*.csv", "a\x00b\nc.csv", False, "a_b_c.csv"),
        ("*.csv", "=cmd|' /C calc'!A0.csv", False, "C_calc_A0.csv"),
    ],
)
def test_a_message_gets_a_name_that_the_source_reads(pattern, sent, unique, name):
    found = name_of(sent, ID, taking(pattern), unique=unique)
    assert found == name


@given(st.text(max_size=300), st.sampled_from(["*.csv", "cld-*.csv", "*"]))
def test_whatever_the_sender_calls_it_the_name_is_plain_and_fits(sent, pattern):
    for unique in (True, False):
        name = name_of(sent, ID, taking(pattern), unique=unique)
        assert is_plain(name)
        assert taking(pattern).takes(name)


@given(st.text(max_size=300))
def test_what_is_left_of_a_name_has_no_path_in_it(sent):
    name = cleaned(sent)
    assert name == "" or is_plain(name)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", ".hidden", "a/b", "a\\b", "a\nb", "a\0b", "\udcff", "a" * 256],
)
def test_what_is_no_plain_name(name):
    assert not is_plain(name)


def test_a_name_of_another_script_is_plain():
    assert is_plain("Entlassungen für März.csv")
