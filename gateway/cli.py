"""The command `throughline`: serve, ask, token, demo, openapi, policy."""

import asyncio
import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import httpx
import typer
import uvicorn
from rich.console import Console

from adapters.errors import ConfigurationError
from gateway import alarms, terminal
from gateway.access.demo_issuer import Wanted, mint
from gateway.access.requester import Relationship
from gateway.api.document import as_text, openapi_of
from gateway.app import create_app, routes
from gateway.clock import SystemClock
from gateway.demo.breakage import Breakage, Fault
from gateway.demo.run import DemoOptions, run_demo
from gateway.policy.signing import sign
from gateway.settings import Settings, load_settings

app = typer.Typer(
    name="throughline",
    help="Ask once, weave one journey: a federated gateway for health and care.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
policy = typer.Typer(help="Agreements and local rules kept as files.")
app.add_typer(policy, name="policy")

Configuration = Annotated[
    Path,
    typer.Option("--config", help="The throughline.toml to use.", dir_okay=False),
]


@app.command()
def serve(config: Configuration = Path("throughline.toml")) -> None:
    """Serve the gateway of a configuration until stopped."""
    alarms.configure()
    with _explained():
        settings = _settings(config)
        served = create_app(settings)
    gc.freeze()  # what lives as long as the process need not be looked at again
    uvicorn.run(
        served,
        host=settings.http.host,
        port=settings.http.port,
        access_log=False,  # the audit trail is ours, and a URL is nobody's
        server_header=False,
        log_level="warning",
        timeout_graceful_shutdown=10,
    )


@app.command()
def token(  # noqa: PLR0913 - one option for each thing a token says
    config: Configuration = Path("throughline.toml"),
    client: Annotated[
        str | None, typer.Option(help="The client id; the first registered one.")
    ] = None,
    organisation: Annotated[
        str | None, typer.Option(help="ODS code acted for; the client's first.")
    ] = None,
    role: Annotated[
        str | None, typer.Option(help="One role; the client's first.")
    ] = None,
    purpose: Annotated[
        list[str] | None, typer.Option(help="Bounds the purposes; may be repeated.")
    ] = None,
    relationship: Annotated[
        str, typer.Option(help='Asserted relationship, or "none".')
    ] = "registered",
) -> None:
    """Print a development token; production refuses the issuer that makes it."""
    with _explained():
        settings = _settings(config)
        wanted = _wanted(
            settings, client, organisation=organisation, role=role, purpose=purpose
        )
        if relationship != "none":
            told = Relationship(kind=relationship, organisation=wanted.organisation)
            wanted = _related(wanted, told)
        typer.echo(mint(settings, SystemClock(), wanted))


@app.command()
def ask(  # noqa: PLR0913 - one option for each thing a question says
    nhs_number: Annotated[
        str | None, typer.Option(help="The person; asked for if nothing is given.")
    ] = None,
    identifier: Annotated[
        str | None, typer.Option(help="Another identifier: SYSTEM|VALUE.")
    ] = None,
    purpose: Annotated[str, typer.Option(help="Why the data is wanted.")] = ...,  # type: ignore[assignment]  # the library's sign for "required"
    since: Annotated[str | None, typer.Option(help="First day, YYYY-MM-DD.")] = None,
    until: Annotated[str | None, typer.Option(help="Day after the last.")] = None,
    category: Annotated[list[str] | None, typer.Option(help="Only these.")] = None,
    url: Annotated[str, typer.Option(help="The gateway.")] = "http://127.0.0.1:8000",
    bearer: Annotated[
        str, typer.Option("--token", envvar="THROUGHLINE_TOKEN", help="A token.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="The answer as it is.")] = False,  # noqa: FBT002 - an option of a command
) -> None:
    """Ask for one person's journey; completeness is printed first."""
    body: dict[str, object] = {"purpose": purpose}
    if identifier is not None:
        system, _, value = identifier.rpartition("|")
        body["identifier"] = {"system": system, "value": value}
    else:
        body["nhs_number"] = nhs_number or typer.prompt("NHS number", hide_input=True)
    body |= {k: v for k, v in (("since", since), ("until", until)) if v is not None}
    if category:
        body["categories"] = category
    _show(_post(url, bearer, body), as_json=as_json)


@app.command()
def demo(  # noqa: PLR0913 - one option for each way to run it
    folder: Annotated[Path, typer.Option(help="Where to prepare it.")] = Path("var/demo"),
    once: Annotated[bool, typer.Option("--once", help="End after one journey.")] = False,  # noqa: FBT002 - an option of a command
    port: Annotated[int, typer.Option(help="Where the gateway listens.")] = 8000,
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
        port=port,
        breakages=breakages,
    )
    raise typer.Exit(asyncio.run(run_demo(options)))


@app.command()
def openapi() -> None:
    """Print the OpenAPI document."""
    typer.echo(as_text(openapi_of(routes())), nl=False)


@policy.command("sign")
def policy_sign(
    document: Annotated[Path, typer.Argument(help="The agreement's YAML file.")],
    organisation: Annotated[str, typer.Option(help="ODS code that signs.")],
    person: Annotated[str, typer.Option(help="Who signs for it.")],
    capacity: Annotated[str, typer.Option(help="As what.")] = "caldicott",
) -> None:
    """Print a signature of an agreement's present text, to keep beside it."""
    with _explained():
        typer.echo(
            sign(document, organisation, person=person, capacity=capacity, clock=SystemClock()),
            nl=False,
        )


def _settings(path: Path) -> Settings:
    return load_settings(path, os.environ)  # noqa: TID251 - the edge that hands the environment in


@contextmanager
def _explained() -> Iterator[None]:
    """End the command with the message of a wrong file, and nothing else."""
    try:
        yield
    except ConfigurationError as error:
        _end(str(error))


def _end(message: str) -> NoReturn:
    typer.echo(f"throughline: {message}", err=True)
    raise typer.Exit(2)


def _wanted(
    settings: Settings,
    client: str | None,
    *,
    organisation: str | None,
    role: str | None,
    purpose: list[str] | None,
) -> Wanted:
    """What the token should say, the client's registration filling what is left out."""
    demo_issuers = {each.issuer for each in settings.issuers if each.demo}
    for each in settings.clients:
        if each.issuer in demo_issuers and client in (None, each.client_id):
            return Wanted(
                client_id=each.client_id,
                organisation=organisation or min(each.organisations),
                role=role or min(each.roles),
                purposes=tuple(purpose or ()),
            )
    _end("no [[clients]] of the demo issuer has that client id. Correct --client.")


def _related(wanted: Wanted, relationship: Relationship) -> Wanted:
    return Wanted(
        client_id=wanted.client_id,
        organisation=wanted.organisation,
        role=wanted.role,
        purposes=wanted.purposes,
        relationships=(relationship,),
    )


def _post(url: str, bearer: str, body: dict[str, object]) -> httpx.Response:
    try:
        with httpx.Client(trust_env=False, timeout=30) as client:
            return client.post(
                f"{url.rstrip('/')}/v1/journeys",
                json=body,
                headers={"Authorization": f"Bearer {bearer}"},
            )
    except httpx.TransportError:
        _end(f"no gateway answers at {url}. Start one: throughline serve.")


def _show(response: httpx.Response, *, as_json: bool) -> None:
    told = response.json()
    console = Console()
    if as_json:
        typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
    elif response.status_code == 200:
        terminal.print_journey(told, console)
    else:
        console.print(f"{told['title']}. {told['detail'] or ''}", markup=False)
        console.print(f"Next: {told['next_step']}", markup=False)
        if told["completeness"]:
            terminal.print_completeness(told["completeness"], console)
    if response.status_code != 200:
        sys.exit(1)


if __name__ == "__main__":
    app()
