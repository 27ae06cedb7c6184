"""A touched log is a broken log, whatever was touched."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.canonical import canon
from gateway.audit.chain import START, Entry, extend, first_broken
from gateway.audit.records import Stamp, Start, encoded, parts_of

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner, max_size=4)
    ),
    max_leaves=8,
)
RECORDS = st.dictionaries(
    st.text(st.characters(max_codepoint=127), min_size=1), JSON, max_size=5
)
CODES = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'),
    min_size=1,
    max_size=60,
).filter(lambda text: not text.isdigit())


def log_of(texts):
    rows, chain = [], START
    for n, text in enumerate(texts, 1):
        chain = extend(chain, n, text.encode())
        rows.append((n, text, chain))
    return rows, Entry(n=len(rows), chain=chain)


LOGS = st.lists(st.text(min_size=1, max_size=20), min_size=2, max_size=8)


@given(LOGS)
def test_an_untouched_log_is_whole(texts):
    assert first_broken(*log_of(texts)) is None


@given(LOGS, st.data())
def test_a_changed_byte_breaks_the_log_at_its_entry(texts, data):
    """Seeded defect: hashing the record without its number, or not at all."""
    rows, head = log_of(texts)
    at = data.draw(st.integers(0, len(rows) - 1))
    n, text, chain = rows[at]
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(text) - 1))
        text = f"{text[:place]}{'x' if text[place] != 'x' else 'y'}{text[place + 1 :]}"
    else:
        place = data.draw(st.integers(0, 31))
        chain = chain[:place] + bytes([chain[place] ^ 1]) + chain[place + 1 :]
    rows[at] = (n, text, chain)
    assert first_broken(rows, head) == n


@given(LOGS, st.data())
def test_a_removed_entry_breaks_the_log(texts, data):
    rows, head = log_of(texts)
    at = data.draw(st.integers(0, len(rows) - 1))
    del rows[at]
    assert first_broken(rows, head) == at + 1


@given(LOGS, st.data())
def test_swapped_entries_break_the_log_even_if_renumbered(texts, data):
    """Seeded defect: a chain that forgets n lets equal neighbours change places."""
    rows, head = log_of(texts)
    at = data.draw(st.integers(0, len(rows) - 2))
    (n, first, one), (m, second, two) = rows[at : at + 2]
    rows[at : at + 2] = [(n, second, two), (m, first, one)]
    assert first_broken(rows, head) == n


@given(LOGS, st.data())
def test_an_inserted_entry_breaks_the_log(texts, data):
    rows, head = log_of(texts)
    at = data.draw(st.integers(0, len(rows)))
    before = rows[at - 1][2] if at else START
    new = (at + 1, "{}", extend(before, at + 1, b"{}"))
    later = [(n + 1, text, chain) for n, text, chain in rows[at:]]
    assert first_broken([*rows[:at], new, *later], head) is not None


@given(LOGS, st.data())
def test_a_log_hashed_anew_from_a_change_on_is_caught_by_its_head(texts, data):
    _, head = log_of(texts)
    at = data.draw(st.integers(0, len(texts) - 1))
    texts[at] += " "
    rows, _ = log_of(texts)
    assert first_broken(rows, head) == head.n + 1


@given(RECORDS)
def test_an_encoding_is_read_back_as_it_was_and_encoded_the_same(record):
    data = canon(record)
    assert json.loads(data) == record
    assert canon(json.loads(data)) == data


@given(CODES, CODES, st.integers(2048, 4096))
def test_records_are_encoded_as_the_canonical_form_would(version, process, size):
    """Seeded defect: an encoder that sorts or escapes otherwise than RFC 8785."""
    stamp = Stamp(id="0" * 32, at=datetime(2026, 1, 1, tzinfo=UTC), process=process)
    data = encoded(Start(version=version), stamp)
    assert canon(json.loads(data)) == data
    parts = [json.loads(part) for part in parts_of(data * 40, stamp, part_bytes=size)]
    assert "".join(part["text"] for part in parts).encode() == data * 40
