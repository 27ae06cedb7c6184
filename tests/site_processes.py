"""A site as its organisation runs it: a process of its own, asked over mutual TLS."""

import os
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx
import trustme
import yaml

from adapters.site.keys import made_keys
from gateway.audit.keys import create_key
from gateway.clock import SystemClock
from gateway.site.service import open_site
from gateway.site.settings import load_site
from gateway.site_commands import source_file
from tests.serving import free_port
from tests.sites import GATEWAY, SITE

_STARTS_S = 60.0
SITE_TOML = """\
environment = "{environment}"
id = "{site}"
organisation = "{ods}"
name = "{ods} (synthetic)"
keys = "file:keys/private.jwks"

[http]
port = {port}

[http.tls]
certificate = "keys/site.crt"
key = "keys/site.key"
ca = "keys/ca.crt"

[store]
url = "sqlite+aiosqlite:///site.db"

[audit]
key = "file:keys/audit.key"
key_id = "s1"
min_free = 0

[gateway]
id = "{gateway}"
keys = "keys/gateway.jwks"
"""
SOURCE_TOML = """
[[sources]]
id = "{source}"
sector = "{sector}"
file = "{file}"
labels = "{labels}"
[sources.flags]
legally-restricted = "prefiltered"
sensitive-record = "prefiltered"
"""


@dataclass
class Enrolled:
    """A site's folder, and the folder of the gateway's source file beside it."""

    site: Path
    gateway: Path
    port: int
    source: str
    authority: trustme.CA = field(default_factory=trustme.CA)

    @property
    def config(self) -> Path:
        return self.site / "site.toml"

    @property
    def source_file(self) -> Path:
        return self.source_file_of(self.source)

    def source_file_of(self, source: str) -> Path:
        """By which the gateway asks one source of the site."""
        name = "source.toml" if source == self.source else f"{source}.toml"
        return self.gateway / name

    @property
    def context(self) -> ssl.SSLContext:
        """Who the gateway is to the site."""
        context = ssl.create_default_context(cafile=self.gateway / "ca.crt")
        context.load_cert_chain(
            self.gateway / "gateway.crt", self.gateway / "gateway.key"
        )
        return context


def enrol(
    folder: Path,
    reads: Path,
    *,
    source: str,
    sector: str = "acute",
    labels: str = "labelled",
    environment: str = "production",
    rules: Sequence[Mapping[str, object]] = (),
    more: Mapping[str, Path] = MappingProxyType({}),
) -> Enrolled:
    """Both ends' files, keys and certificates; `more` are further sources, by id."""
    enrolled = Enrolled(
        site=folder / "site",
        gateway=folder / "gateway",
        port=free_port(),
        source=source,
    )
    for each in (enrolled.site / "keys", enrolled.site / "policy", enrolled.gateway):
        each.mkdir(parents=True)
    _keys(enrolled)
    _certificates(enrolled)
    create_key(enrolled.site / "keys" / "audit.key")
    text = yaml.safe_dump_all([dict(each) for each in rules], sort_keys=False)
    (enrolled.site / "policy" / "own.yaml").write_text(text, "utf-8")
    said = {
        "site": SITE,
        "gateway": GATEWAY,
        "port": enrolled.port,
        "ods": source.partition(".")[0],
        "environment": environment,
    }
    served = "".join(
        SOURCE_TOML.format(source=each, sector=sector, labels=labels, file=file)
        for each, file in {source: reads, **more}.items()
    )
    enrolled.config.write_text(SITE_TOML.format(**said) + served, "utf-8")
    for name in (source, *more):
        text = _asked_as(enrolled, name)
        enrolled.source_file_of(name).write_text(text, "utf-8")
    return enrolled


def _asked_as(enrolled: Enrolled, source: str) -> str:
    """What `throughline site source` prints, with where these files are."""
    settings = load_site(enrolled.config, {})
    found = open_site(settings, SystemClock()).desk.sources[source]
    url = f"https://127.0.0.1:{enrolled.port}"
    text = source_file(settings, found.id, found.adapter.profile, url=url)
    return (
        text.replace("[site]", "loopback = true\n\n[site]")
        .replace("file:keys/", f"file:{enrolled.gateway}/")
        .replace("site-ca.crt", "ca.crt")
    )


def _keys(enrolled: Enrolled) -> None:
    private, public = made_keys()
    (enrolled.site / "keys" / "private.jwks").write_text(private, "ascii")
    (enrolled.gateway / "site.jwks").write_text(public, "ascii")
    private, public = made_keys()
    (enrolled.gateway / "gateway.jwks").write_text(private, "ascii")
    (enrolled.site / "keys" / "gateway.jwks").write_text(public, "ascii")


def _certificates(enrolled: Enrolled) -> None:
    authority, keys = enrolled.authority, enrolled.site / "keys"
    authority.cert_pem.write_to_path(keys / "ca.crt")
    authority.cert_pem.write_to_path(enrolled.gateway / "ca.crt")
    for leaf, place in (
        (authority.issue_cert("127.0.0.1"), keys / "site"),
        (authority.issue_cert("gateway.example.invalid"), enrolled.gateway / "gateway"),
    ):
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        place.with_suffix(".crt").write_bytes(chain)
        leaf.private_key_pem.write_to_path(place.with_suffix(".key"))


@dataclass
class Running:
    """A running site: its process, and what it writes to its log."""

    process: "subprocess.Popen[bytes]"
    log: Path

    def kill(self) -> None:
        """As a power cut would: kill -9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(15)


@contextmanager
def site_running(enrolled: Enrolled) -> Iterator[Running]:
    """`throughline site --config …`, once it is ready; stopped by its pid."""
    with site_started(enrolled) as running:
        await_ready(enrolled, running)
        yield running


@contextmanager
def site_started(enrolled: Enrolled) -> Iterator[Running]:
    """The same, ready or not: it starts while others do."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "site.log"
        with log.open("wb") as written:
            process = subprocess.Popen(  # noqa: S603 - our own command, our own arguments
                [
                    *(sys.executable, "-m", "gateway.cli", "site"),
                    *("--config", str(enrolled.config)),
                ],
                env=dict(os.environ),
                stderr=written,
                stdout=written,
            )
        try:
            yield Running(process, log)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(15)


def await_ready(enrolled: Enrolled, running: Running) -> None:
    """Wait until a site answers, as its gateway asks it."""
    until = time.monotonic() + _STARTS_S
    address = f"https://127.0.0.1:{enrolled.port}/readyz"
    with httpx.Client(verify=enrolled.context, trust_env=False) as client:
        while running.process.poll() is None and time.monotonic() < until:
            try:
                if client.get(address).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)  # not listening yet
    message = f"the site was not ready: {running.log.read_text('utf-8', 'replace')}"
    raise AssertionError(message)
