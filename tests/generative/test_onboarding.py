"""Whatever a sample holds, the kit writes a file that loads, or says what it needs."""

import json
import tomllib
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from adapters.mapping import MappingSpec
from gateway.onboarding import messages, server, write
from gateway.onboarding.dates import read_dates, with_order
from gateway.onboarding.guess import guess
from gateway.onboarding.interview import Said, Unanswered, settle
from gateway.onboarding.sample import NotASample, read_sample

MARK = "Zebrafinch7731"
NAMES = [
    "Visit Ref",
    "Client",
    "NHS Number",
    "Date of Birth",
    "Seen on",
    "Left",
    "Outcome",
]
CELLS = st.one_of(
    st.sampled_from(
        ["", "null", "01/02/2025", "13/02/2025", "2025-02-13", "1800-01-01"]
    ),
    st.sampled_from(
        ["9990000018", "0000000000", "Attended", "DNA", "F32.1", "40055000"]
    ),
    st.integers(0, 99_999).map(str),
    st.just(MARK),
    st.text(st.characters(exclude_characters="\r\n,\0", codec="utf-8"), max_size=12),
)
TABLES = st.integers(2, 7).flatmap(
    lambda width: st.tuples(
        st.permutations(NAMES).map(lambda names: names[:width]),
        st.lists(
            st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=30
        ),
    )
)
SAID = {"--dates": "day-first", "--header": "yes", "--placeholders": "yes"}


@given(st.binary(max_size=400))
def test_any_bytes_are_a_sample_or_refused_with_the_next_step(data):
    """Catches a reader that ends at an odd quote, byte or line end."""
    try:
        sample = read_sample(data)
    except NotASample as error:
        told = str(error)
    else:
        told = "."
        assert all(len(row) == len(sample.columns) for row in sample.rows)
    assert told.endswith(".")


@given(TABLES)
def test_any_table_becomes_a_mapping_that_loads_and_names_nobody(table):
    """Catches a cell that is written down, and a name that TOML reads otherwise."""
    names, rows = table
    text = "".join(",".join(cells) + "\n" for cells in [names, *rows])
    with suppress(NotASample, Unanswered):
        sample = read_sample(text.encode(), header=True)
        found = guess(sample, sector="community")
        asks = Said(options=SAID, prompt=None)
        settled = settle(found, asks, columns=[n for n in sample.columns if n])
        owner = write.Owner(ods="Z9K11", key_system="urn:example:key")
        lines = "\n".join(write.mapping(settled, owner))
        assert MARK not in lines
        MappingSpec.model_validate(tomllib.loads(lines)["mapping"])


@given(st.lists(CELLS, max_size=40), st.sampled_from(["day-first", "month-first"]))
def test_no_more_cells_are_read_than_there_are(cells, order):
    """Catches a count that takes both orders of one cell."""
    found = read_dates(cells, frozenset({"null"}))
    if found is not None:
        assert 0 < found.read <= found.filled <= len(cells)
        assert with_order(found, order).read <= found.filled


@given(st.binary(max_size=300))
def test_any_bytes_are_messages_or_refused(data):
    """Catches a header that is cut short."""
    with suppress(NotASample):
        seen = messages.read_messages(b"MSH|^~\\&|" + data)
        key = messages.key_of(seen) or "X"
        place = messages.of_messages
        lines = place(seen, directory="d", pattern="*", key=key, ods="Z9K11")
        assert tomllib.loads("\n".join(lines))["kind"] == "hl7v2"


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["rest", "resource", "security", "type", "fhirVersion"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_any_statement_is_read_or_refused(told):
    """Catches a statement of another shape, which ends nothing."""

    body = json.dumps({"resourceType": "CapabilityStatement", "rest": told})
    seen = server.read_statement(body.encode())
    wanted = server.ServerWanted(
        base_url="https://fhir.example.invalid",
        token=None,
        key_system=None,
        loopback=False,
    )
    assert tomllib.loads("\n".join(server.of_server(seen, wanted)))["kind"] == "fhir"
