"""The command `throughline`: serve, ask, token, demo, openapi, policy, source."""

import asyncio
import gc
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer
import uvicorn
from rich.console import Console

from gateway import (
    alarms,
    audit_commands,
    policy_commands,
    serving,
    site_commands,
    source_commands,
    terminal,
)
from gateway.access.demo_issuer import Wanted, mint
from gateway.access.requester import Relationship
from gateway.api.document import as_text, openapi_of
from gateway.app import create_app, routes
from gateway.clock import SystemClock
from gateway.command_line import Configuration, end, explained, settings_of
from gateway.demo.breakage import Breakage, Fault
from gateway.demo.run import DemoOptions, run_demo
from gateway.settings import ClientSettings, Settings
from policies.vocabulary import RELATIONSHIPS, ROLES

# A journey makes thousands of values that hold no cycle: look for some rarely.
_RARELY: Final = (100_000, 20, 20)
# A thread with long work gives way to the event loop after so long, in seconds.
_GIVE_WAY_S: Final = 0.001

app = typer.Typer(
    name="throughline",
    help="Ask once, weave one journey: a federated gateway for health and care.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(policy_commands.policy, name="policy")
app.add_typer(source_commands.source, name="source")
app.add_typer(site_commands.site, name="site")
app.add_typer(audit_commands.audit, name="audit")


@app.command()
def serve(config: Configuration = Path("throughline.toml")) -> None:
    """Serve the gateway of a configuration until stopped."""
    alarms.configure()
    with explained():
        settings = settings_of(config)
        served = create_app(settings)
    gc.freeze()  # what lives as long as the process need not be looked at again
    gc.set_threshold(*_RARELY)
    sys.setswitchinterval(_GIVE_WAY_S)
    listening = uvicorn.Config(
        served,
        host=settings.http.host,
        port=settings.http.port,
        access_log=False,  # the audit trail is ours, and a URL is nobody's
        server_header=False,
        log_level="warning",
        timeout_graceful_shutdown=10,  # seconds for those already asking
    )
    # Sites that only wait for a question are not waited for.
    serving.run(listening, served.state.service.relay.leave)


@app.command()
def token(  # noqa: PLR0913 - one option for each thing a token says
    *,
    config: Configuration = Path("throughline.toml"),
    client: Annotated[
        str | None, typer.Option(help="The client id; the first registered one.")
    ] = None,
    organisation: Annotated[
        str | None, typer.Option(help="ODS code acted for; the client's first.")
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="One role; the client's first clinical one.")
    ] = None,
    purpose: Annotated[
        list[str] | None, typer.Option(help="Bounds the purposes; may be repeated.")
    ] = None,
    relationship: Annotated[
        str, typer.Option(help='Asserted relationship, or "none".')
    ] = "registered",
    subject: Annotated[str, typer.Option(help="Who it is.")] = "demo-user",
    capacity: Annotated[
        list[str] | None, typer.Option(help="As what they sign; may be repeated.")
    ] = None,
) -> None:
    """Print a development token; production refuses the issuer that makes it."""
    if relationship not in RELATIONSHIPS:
        known = ", ".join(sorted(RELATIONSHIPS))
        end(f"--relationship is not one of {known}.")
    with explained():
        settings = settings_of(config)
        registered = _client(settings, client)
        acting_for = _of("organisation", organisation, sorted(registered.organisations))
        told = Relationship(kind=relationship, organisation=acting_for)
        wanted = Wanted(
            client_id=registered.client_id,
            organisation=acting_for,
            role=_of("role", role, [r for r in ROLES if r in registered.roles]),
            purposes=[
                _of("purpose", p, sorted(registered.purposes)) for p in purpose or ()
            ],
            relationships=() if relationship == "none" else (told,),
            subject=subject,
            capacities=[
                _of("capacity", c, sorted(registered.capacities))
                for c in capacity or ()
            ],
        )
        typer.echo(mint(settings, SystemClock(), wanted))


@app.command()
def ask(  # noqa: PLR0913 - one option for each thing a question says
    *,
    purpose: Annotated[str, typer.Option(help="Why the data is wanted.")],
    nhs_number: Annotated[
        str | None, typer.Option(help="The person; asked for if nothing is given.")
    ] = None,
    identifier: Annotated[
        str | None, typer.Option(help="Another identifier: SYSTEM|VALUE.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="First day, YYYY-MM-DD.")] = None,
    until: Annotated[str | None, typer.Option(help="Day after the last.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Only these.")] = None,
    url: Annotated[str, typer.Option(help="The gateway.")] = "http://127.0.0.1:8000",
    bearer: Annotated[
        str, typer.Option("--token", envvar="THROUGHLINE_TOKEN", help="A token.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The answer as it is.")] = (
        False
    ),
) -> None:
    """Ask for one person's journey; completeness is printed first."""
    body: dict[str, object] = {"purpose": purpose}
    if identifier is not None:
        system, _, value = identifier.rpartition("|")
        body["identifier"] = {"system": system, "value": value}
    else:
        body["nhs_number"] = nhs_number or typer.prompt("NHS number", hide_input=True)
    given = {"since": since, "until": until, "categories": category or None}
    body |= {name: value for name, value in given.items() if value is not None}
    _show(_post(url, bearer, body), as_json=as_json)


@app.command()
def demo(  # noqa: PLR0913 - one option for each way to run it
    *,
    folder: Annotated[Path, typer.Option(help="Where to prepare it.")] = Path(
        "var/demo"
    ),
    once: Annotated[bool, typer.Option("--once", help="End after one journey.")] = (
        False
    ),
    port: Annotated[
        int | None, typer.Option(help="Where to listen; 8000, or any with --once.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other people.")] = 7,
    slow: Annotated[list[str] | None, typer.Option(help="A source made slow.")] = None,
    broken: Annotated[list[str] | None, typer.Option(help="A source broken.")] = None,
    wrong: Annotated[
        list[str] | None, typer.Option(help="A source that tells of somebody else.")
    ] = None,
) -> None:
    """Run a small synthetic health system and ask it for one journey."""
    faults = ((Fault.SLOW, slow), (Fault.BROKEN, broken), (Fault.WRONG, wrong))
    try:
        breakages = tuple(
            Breakage(source=source, fault=fault)
            for fault, sources in faults
            for source in sources or ()
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    console = Console(width=max(100, Console().width))
    options = DemoOptions(
        folder=folder,
        clock=SystemClock(),
        show=lambda journey: terminal.print_journey(journey, console),
        say=typer.echo,
        once=once,
        seed=seed,
        port=(0 if once else 8000) if port is None else port,  # 0 is any free one
        breakages=breakages,
    )
    raise typer.Exit(asyncio.run(run_demo(options)))


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    typer.echo(as_text(openapi_of(routes())), nl=False)


def _client(settings: Settings, client_id: str | None) -> ClientSettings:
    """The demo issuer's client of that id, or its first."""
    demo_issuers = {each.issuer for each in settings.issuers if each.demo}
    found = [
        each
        for each in settings.clients
        if each.issuer in demo_issuers and client_id in (None, each.client_id)
    ]
    if not found:
        end("no [[clients]] of a demo issuer has that client id. Correct --client.")
    return found[0]


def _of(option: str, asked: str | None, registered: Sequence[str]) -> str:
    """What was asked for, if it is registered; without asking, the first that is."""
    if asked is None and registered:
        return registered[0]
    if asked is None or asked not in registered:
        known = ", ".join(registered)
        end(f"--{option} is not registered for this client. Use one of: {known}.")
    return asked


def _post(url: str, bearer: str, body: dict[str, object]) -> httpx.Response:
    try:
        with httpx.Client(trust_env=False, timeout=30) as client:
            return client.post(
                f"{url.rstrip('/')}/v1/journeys",
                json=body,
                headers={"Authorization": f"Bearer {bearer}"},
            )
    except (httpx.TransportError, httpx.InvalidURL):
        end(f"no gateway answers at {url}. Start one: throughline serve.")
    except UnicodeEncodeError:
        end("--token is not a token. Make one: throughline token.")


def _show(response: httpx.Response, *, as_json: bool) -> None:
    try:
        told = response.json()
        if as_json:
            typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        elif response.status_code == 200:
            terminal.print_journey(told, Console())
        else:
            terminal.print_problem(told, Console())
    except (ValueError, KeyError, TypeError, AttributeError):
        end("what answers there is not a gateway. Correct --url.")
    if response.status_code != 200:
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
