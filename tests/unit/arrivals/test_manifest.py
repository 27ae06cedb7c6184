"""What a manifest promises, in each of the ways it may be written."""

import pytest

from adapters.arrivals.manifest import promised

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    "text",
    [
        f'{{"file": "a.csv", "sha256": "{DIGEST}"}}',
        f'\ufeff[{{"file": "a.csv", "sha256": "{DIGEST.upper()}"}}, 3]',
        f'{{"as_of": "x", "files": [{{"file": "a.csv", "sha256": "{DIGEST}"}}]}}',
        f"file,sha256,rows\na.csv,{DIGEST},3\n",
    ],
)
def test_each_way_of_writing_one(text):
    assert promised(text.encode()) == {"a.csv": DIGEST}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[1, 2]",
        b'{"files": 3}',
        b'{"files": {"file": "a"}}',
        b"[" * 100_000,
        b'{"file": 3, "sha256": "00"}',
        b'{"file": "a.csv"}',
        b'file,sha256\n"a',
    ],
)
def test_what_is_no_manifest_promises_nothing(data):
    assert promised(data) == {}
