"""Kinds of source: ours by name, others' by entry point, anything else refused."""

from datetime import UTC, datetime

import pytest

from adapters.errors import ConfigurationError
from adapters.http import Transport
from adapters.registry import KINDS, open_source
from adapters.surroundings import Limits, Surroundings

NOW = datetime(2024, 8, 1, tzinfo=UTC)


@pytest.fixture
def surroundings(tmp_path, transport):
    return Surroundings(
        now=lambda: NOW,
        secret=lambda reference: reference,
        transport=transport,
        limits=Limits(),
        state=tmp_path / "state",
        source_id="Z9A01.test",
        sector="acute",
    )


class NoNetwork:
    """A transport that reaches nothing."""

    async def send(self, *args, **settings):
        raise AssertionError("building a source asks nothing")

    async def aclose(self):
        """Nothing to close."""


@pytest.fixture
def transport() -> Transport:
    return NoNetwork()


def test_an_unknown_kind_is_refused_and_the_known_are_named(tmp_path, surroundings):
    path = tmp_path / "source.toml"
    path.write_text('kind = "telepathy"\n')
    with pytest.raises(ConfigurationError) as caught:
        open_source(path, surroundings)
    assert all(kind in str(caught.value) for kind in KINDS)
    assert str(path) in str(caught.value)


def test_a_kind_others_installed_is_found(tmp_path, surroundings, monkeypatch):
    installed = tmp_path / "elsewhere-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Name: elsewhere\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(
        "[throughline.adapters]\ntelepathy = throughline_elsewhere:build\n"
    )
    (tmp_path / "throughline_elsewhere.py").write_text(
        "from datetime import UTC, datetime\n"
        "from adapters.memory import MemoryAdapter\n"
        "def build(path, surroundings):\n"
        "    return MemoryAdapter((), sector=surroundings.sector,\n"
        "        held=frozenset(), as_of=surroundings.now())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "source.toml"
    path.write_text('kind = "telepathy"\n')
    assert open_source(path, surroundings).profile.adapter == "memory/1"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_each_of_our_kinds_refuses_a_file_that_says_nothing_else(
    tmp_path, surroundings, kind
):
    path = tmp_path / "source.toml"
    path.write_text(f'kind = "{kind}"\n')
    with pytest.raises(ConfigurationError, match="is missing"):
        open_source(path, surroundings)
