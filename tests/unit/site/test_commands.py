"""`throughline site`: what its commands print, make, and refuse."""

import json
import stat

import pytest
from typer.testing import CliRunner

from adapters.site.keys import own_keys, pinned_keys
from gateway.cli import app
from gateway.site.sole import sole
from tests.outbound import fetching
from tests.site_processes import enrol
from tests.tables import write_sqlite

SOURCE = "Z9B02.epr"


def run(*arguments):
    return CliRunner().invoke(app, ["site", *map(str, arguments)])


def test_keys_are_made_once_and_the_private_ones_are_ones_own(tmp_path):
    place = tmp_path / "keys"
    assert run("keys", "--into", place).exit_code == 0
    private, public = place / "private.jwks", place / "public.jwks"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    own, pinned = own_keys(private.read_text()), pinned_keys(public.read_text())
    assert own.signs.kid == pinned.signs.kid
    again = run("keys", "--into", place)
    assert again.exit_code == 2
    assert "never written over" in again.output
    assert own_keys(private.read_text()).signs.kid == own.signs.kid


@pytest.fixture
def enrolled(tmp_path):
    return enrol(tmp_path, write_sqlite(tmp_path / "db", []), source=SOURCE)


def test_a_source_file_is_printed_for_the_gateway(enrolled):
    where = ("--config", enrolled.config)
    said = run(*where, "source", SOURCE, "--url", "https://s.invalid", *where)
    assert said.exit_code == 0
    assert f"source = {json.dumps(SOURCE)}" in said.output
    assert "[tls]" in said.output
    plain = run("source", SOURCE, "--url", "http://127.0.0.1:1", *where)
    assert "[tls]" not in plain.output


def test_a_source_that_the_site_does_not_serve_has_no_file(enrolled):
    said = run("source", "other", "--url", "https://s", "--config", enrolled.config)
    assert said.exit_code == 2
    assert "has no other" in said.output


def test_a_site_that_opens_no_port_has_no_address(enrolled):
    where = ("--config", enrolled.config)
    assert "--url" in run("source", SOURCE, *where).output  # it listens somewhere
    fetching(enrolled, "https://gateway.example.invalid")
    said = run("source", SOURCE, *where)
    assert said.exit_code == 0
    assert 'mode = "outbound"' in said.output
    assert "url" not in said.output
    assert "[tls]" not in said.output
    wrong = run("source", SOURCE, "--url", "https://s.invalid", *where)
    assert wrong.exit_code == 2
    assert "listens nowhere" in wrong.output


@pytest.mark.parametrize("spoilt", ["site.crt", "site.key", "ca.crt"])
@pytest.mark.parametrize("text", [None, "", "-----BEGIN CERTIFICATE-----\n"])
def test_a_certificate_that_is_none_ends_the_start(enrolled, spoilt, text):
    place = enrolled.site / "keys" / spoilt
    place.unlink() if text is None else place.write_text(text)
    said = run("--config", enrolled.config)
    assert said.exit_code == 2
    assert "http.tls" in said.output


def test_a_site_that_is_served_already_is_not_served_again(enrolled):
    with sole(enrolled.config):
        said = run("--config", enrolled.config)
    assert said.exit_code == 2
    assert "another process" in said.output


def test_a_wrong_configuration_ends_with_its_place(tmp_path):
    said = run("--config", tmp_path / "missing.toml")
    assert said.exit_code == 2
    assert "missing.toml" in said.output
