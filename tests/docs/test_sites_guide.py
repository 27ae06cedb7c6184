"""The site of docs/sites.md is set up as the guide says, runs, and is asked."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest
import trustme

from adapters.errors import Vetoed
from adapters.registry import open_source
from adapters.site import settings as gateways
from adapters.site.wire import RefusalCode
from adapters.source_file import Settings
from gateway.site import settings as sites
from tests.houses import ANN, event
from tests.opened import surroundings
from tests.serving import free_port
from tests.site_processes import Enrolled, site_running
from tests.sites import query
from tests.tables import write_sqlite

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "sites.md"
TEXT = GUIDE.read_text("utf-8")
SITE, ASKED_BY = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)[:2]
COMMANDS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)[0]
RULES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0]
SOURCE = "Z9B02.epr"
EVENTS = [
    event("e-1", "2026-01-05", of=ANN),
    event("d-1", "2019-01-05", kind="document", of=ANN),
    event("d-2", f"{datetime.now(UTC):%Y}-01-01", kind="document", of=ANN),
]


def typed(text: str, folder: Path) -> str:
    """What a shell says to these commands, typed in a folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ran = subprocess.run(  # noqa: S603 - our own guide
        ["bash", "-ec", text],  # noqa: S607 - the reader's own shell
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout


def certify(enrolled: Enrolled) -> None:
    """Each end's certificate, by its own authority, under the names of the guide."""
    ours, theirs = trustme.CA(), trustme.CA()
    ours.cert_pem.write_to_path(enrolled.gateway / "site-ca.crt")
    ours.cert_pem.write_to_path(enrolled.gateway / "ca.crt")
    theirs.cert_pem.write_to_path(enrolled.site / "keys" / "callers.crt")
    for leaf, place in (
        (ours.issue_cert("127.0.0.1"), enrolled.site / "keys" / "site"),
        (theirs.issue_cert("gateway.invalid"), enrolled.gateway / "keys" / "gateway"),
        (theirs.issue_cert("gateway.invalid"), enrolled.gateway / "gateway"),
    ):
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        place.with_suffix(".crt").write_bytes(chain)
        leaf.private_key_pem.write_to_path(place.with_suffix(".key"))


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory):
    """The guide's site, in front of a database, and its gateway's folder beside it."""
    folder = tmp_path_factory.mktemp("guide")
    enrolled = Enrolled(
        site=folder / "site",
        gateway=folder / "gateway",
        port=free_port(),
        source=SOURCE,
    )
    for each in (enrolled.site, enrolled.gateway):
        each.mkdir()
    typed(COMMANDS, enrolled.site)
    typed(COMMANDS.splitlines()[0], enrolled.gateway)
    certify(enrolled)
    here, there = enrolled.site, enrolled.gateway
    (there / "keys" / "private.jwks").rename(there / "keys" / "gateway.jwks")
    (there / "keys" / "public.jwks").rename(here / "keys" / "gateway.jwks")
    (there / "site.jwks").write_text((here / "keys" / "public.jwks").read_text())
    write_sqlite(here / "sources", EVENTS).rename(here / "sources" / "epr.toml")
    (here / "policy").mkdir()
    (here / "policy" / "own.yaml").write_text(RULES, "utf-8")
    listening = SITE.replace("0.0.0.0", "127.0.0.1").replace("8443", str(enrolled.port))  # noqa: S104 - it is what is replaced
    flags = listening.replace('"states"', '"prefiltered"')
    enrolled.config.write_text(flags, "utf-8")
    return enrolled


@pytest.fixture(scope="module")
def printed(enrolled):
    """What the site's own command prints for its gateway."""
    url = "https://site.example.invalid:8443"
    return typed(f"throughline site source {SOURCE} --url {url}", enrolled.site)


def test_the_source_file_is_as_the_command_prints_it(printed):
    head, mark, profile = printed.partition("[profile]")
    assert ASKED_BY.partition("[profile]")[0] == head
    assert mark
    assert {line.split(" ")[0] for line in profile.split("\n") if line} <= {
        *gateways.ProfilePart.model_fields
    }


async def test_the_site_answers_by_the_rules_that_the_guide_gives_it(
    enrolled, printed, tmp_path
):
    here = f"127.0.0.1:{enrolled.port}"
    text = printed.replace("site.example.invalid:8443", here)
    text = text.replace("[site]", "loopback = true\n\n[site]")
    enrolled.source_file.write_text(text, "utf-8")
    around = replace(
        surroundings(tmp_path),
        secret=lambda name: (enrolled.gateway / name.removeprefix("file:")).read_text(),
    )
    until = around.now() + timedelta(seconds=4)
    asked = replace(query(until=until), categories=frozenset({"documents"}))
    research = replace(query(until=until, purpose="research"), person=ANN)
    adapter = open_source(enrolled.source_file, around)
    with site_running(enrolled):
        try:
            told = await adapter.ask(replace(asked, person=ANN))
            with pytest.raises(Vetoed):
                await adapter.ask(research)
        finally:
            await adapter.aclose()
            await around.transport.aclose()
    assert [each.record_id for each in told.events] == ["d-2"]


def test_every_refusal_is_told_of():
    told = TEXT.partition("## What is refused")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in told.splitlines() if line.startswith("| `")]
    codes = {code for row in rows for code in re.findall(r"`(\w+)`", row)}
    assert codes == set(get_args(RefusalCode))


@pytest.mark.parametrize("module", [sites, gateways])
def test_every_setting_is_told_of(module):
    classes = [
        each
        for each in vars(module).values()
        if isinstance(each, type)
        and issubclass(each, Settings)
        and each.__module__ == module.__name__
    ]
    named = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`\n]+)`", TEXT))))
    fields = {name for each in classes for name in each.__annotations__}
    assert len(fields) > 10
    assert fields - named - {"http", "store", "audit", "limits"} == set()
