"""The command `throughline site`: serve one organisation's site, and set it up."""

import json
import os
import ssl
from pathlib import Path
from typing import Annotated, Final

import typer
import uvicorn

from adapters.contract import Profile
from adapters.source_file import wrong
from gateway import alarms, site_key_commands
from gateway.clock import SystemClock
from gateway.command_line import end, explained
from gateway.service import VERSION
from gateway.site.app import create_site
from gateway.site.service import open_site
from gateway.site.settings import SiteSettings, Tls, load_site
from gateway.site.sole import sole

site = typer.Typer(
    help="Run Throughline inside an organisation, in front of its own sources.",
    invoke_without_command=True,
)
SiteConfiguration = Annotated[
    Path, typer.Option("--config", help="The site.toml to use.", dir_okay=False)
]
_STOPS_S: Final = 10  # for questions that are being answered
site.command("keys")(site_key_commands.keys)
site.command("enrol")(site_key_commands.enrol)
site.command("rotate")(site_key_commands.rotate)
site.command("fingerprint")(site_key_commands.show)


@site.callback()
def serve(
    context: typer.Context, *, config: SiteConfiguration = Path("site.toml")
) -> None:
    """Serve the site of a configuration until stopped."""
    if context.invoked_subcommand is not None:
        return
    alarms.configure()
    with explained():
        settings = site_settings_of(config)
        served = create_site(settings, version=VERSION)
        tls = settings.http.tls
        if tls is not None:
            _check(tls, settings.path)
        with sole(settings.path):
            uvicorn.run(
                served,
                host=settings.http.host,
                port=settings.http.port,
                ssl_certfile=tls.certificate if tls else None,
                ssl_keyfile=tls.key if tls else None,
                ssl_ca_certs=str(tls.ca) if tls else None,
                # Nobody is listened to without a certificate our authority signed.
                ssl_cert_reqs=ssl.CERT_REQUIRED if tls else ssl.CERT_NONE,
                access_log=False,
                server_header=False,
                log_level="warning",
                timeout_graceful_shutdown=_STOPS_S,
            )


def _check(tls: Tls, config: Path) -> None:
    """ConfigurationError where a listener could not be made of these files."""
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tls.ca)
        context.load_cert_chain(tls.certificate, tls.key, password=str)
    except OSError:
        message = (
            "must name a certificate, its key without a passphrase, and the "
            "authority of callers, each a PEM file that is there. Correct it."
        )
        raise wrong(config, ("http", "tls"), message) from None


@site.command()
def source(
    source_id: Annotated[str, typer.Argument(help="A source of site.toml.")],
    *,
    url: Annotated[
        str | None,
        typer.Option("--url", help="Where the gateway finds us; not with [relay]."),
    ] = None,
    config: SiteConfiguration = Path("site.toml"),
) -> None:
    """Print the source file by which the gateway asks one source of this site."""
    with explained():
        settings = site_settings_of(config)
        found = open_site(settings, SystemClock()).desk.sources.get(source_id)
    if found is None:
        end(f"{config}: [[sources]] has no {source_id}.")
    if (url is None) != (settings.relay is not None):
        end("--url says where a site listens; with [relay] it listens nowhere.")
    typer.echo(
        source_file(settings, found.id, found.adapter.profile, url=url), nl=False
    )


def source_file(
    settings: SiteSettings, source_id: str, profile: Profile, *, url: str | None
) -> str:
    """The gateway's source file of one source, but for where its own secrets are.

    Without `url` it is of a site that fetches its questions.
    """
    lines = [
        'kind = "site"',
        'mode = "outbound"' if url is None else f"url = {_written(url)}",
        "",
        "[site]",
        f"id = {_written(settings.id)}",
        f"source = {_written(source_id)}",
        'keys = "site.jwks"  # what the site keeps as public.jwks',
        "",
        "[gateway]",
        f"id = {_written(settings.gateway.id)}",
        'keys = "file:keys/gateway.jwks"',
    ]
    if url is not None and url.startswith("https:"):
        lines += [
            "",
            "[tls]",
            'certificate = "file:keys/gateway.crt"',
            'key = "file:keys/gateway.key"',
            'ca = "site-ca.crt"',
        ]
    return "\n".join([*lines, "", *_profile(profile), ""])


def _profile(profile: Profile) -> list[str]:
    lines = ["[profile]", f"adapter = {_written(profile.adapter)}"]
    if profile.mapping is not None:
        lines.append(f"mapping = {_written(profile.mapping)}")
    lines.append(f"held = {_written(sorted(profile.held))}")
    systems = _written(sorted(profile.identifier_systems))
    lines.append(f"identifier_systems = {systems}")
    if profile.key_system is not None:
        lines.append(f"key_system = {_written(profile.key_system)}")
    if profile.whole_person:
        lines.append("whole_person = true")
    return lines


def _written(value: object) -> str:
    """A text or a list of texts in TOML, which writes both as JSON does."""
    return json.dumps(value)


def site_settings_of(path: Path) -> SiteSettings:
    """The configuration, with this process's environment over it."""
    return load_site(path, os.environ)  # noqa: TID251 - the edge that hands the environment in
