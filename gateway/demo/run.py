"""`throughline demo`: start the small health system, ask one journey, then serve."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from adapters.moment import LONDON
from gateway.access.demo_issuer import Wanted as WantedToken
from gateway.access.demo_issuer import mint
from gateway.access.requester import Relationship
from gateway.clock import Clock
from gateway.demo.breakage import SLOW_S, Breakage, Fault, fault_of
from gateway.demo.children import Children, NotReady, free_port
from gateway.demo.chronicle import AT, Place
from gateway.demo.configuration import CLIENT
from gateway.demo.preparing import Prepared, Wanted, prepare
from gateway.settings import load_settings

Journey = Mapping[str, Any]

_SERVERS: Final = (Place.GP, Place.ACUTE)
_ASKED_S: Final = 15.0  # three times the longest journey
_GATEWAY: Final = (sys.executable, "-m", "gateway.cli", "serve", "--config")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """How the demo is to run.

    `show` prints a journey, `say` a line. `gateway` is the command that serves the
    configuration whose path is added to it. A port that is taken gives way to a
    free one. With `once`, the demo ends after the first journey.
    """

    folder: Path
    clock: Clock
    show: Callable[[Journey], None]
    say: Callable[[str], None]
    once: bool = False
    seed: int = 7
    port: int = 8000
    breakages: tuple[Breakage, ...] = ()
    gateway: Sequence[str] = _GATEWAY


async def run_demo(options: DemoOptions) -> int:
    """The exit status: with `once`, 0 only if every source answered.

    Else it serves until SIGINT or SIGTERM, and that is 0. 1 if something did not
    start or the gateway answered with a problem. No process is left behind.
    """
    loop = asyncio.get_running_loop()
    work = asyncio.create_task(_demo(options))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _cancel_once, work)
    try:
        await asyncio.wait([work])
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        work.cancel()
        await asyncio.wait([work])
    if work.cancelled():
        options.say("Stopped.")
        return 1 if options.once else 0
    return work.result()


def _cancel_once(work: asyncio.Task[int]) -> None:
    """Begin to stop; an impatient second Ctrl-C does not cut the stopping short."""
    if not work.cancelling():
        work.cancel()


async def _demo(options: DemoOptions) -> int:
    ports = {place: free_port() for place in _SERVERS}
    port = free_port(options.port)
    today = options.clock.now().astimezone(LONDON).date()
    options.say("Preparing six organisations and 500 people, all of them synthetic …")
    wanted = Wanted(
        seed=options.seed,
        today=today,
        fhir_urls={place: _fhir_url(ports[place]) for place in _SERVERS},
        port=port,
        breakages=options.breakages,
    )
    prepared = await asyncio.to_thread(prepare, options.folder, wanted)
    try:
        async with Children(options.folder / "logs") as children:
            return await _serve(options, prepared, wanted=wanted, children=children)
    except NotReady as error:
        options.say(f"The demo cannot go on: {error}")
        return 1


async def _serve(  # noqa: RET503 - its last line never returns: it raises or is stopped
    options: DemoOptions, prepared: Prepared, *, wanted: Wanted, children: Children
) -> int:
    for place in _SERVERS:
        await _start_server(children, prepared, place=place, wanted=wanted)
    await children.start(
        "gateway", [*options.gateway, str(prepared.configuration.absolute())]
    )
    base = f"http://127.0.0.1:{wanted.port}"
    await children.answering(f"{base}/readyz")
    token = _token(prepared, options.clock)
    status = await _ask(options, base, token=token, prepared=prepared)
    if options.once:
        return status
    _tell(options, base, token=token, prepared=prepared)
    await children.until_one_ends()


async def _start_server(
    children: Children, prepared: Prepared, *, place: Place, wanted: Wanted
) -> None:
    fault = fault_of(wanted.breakages, AT[place])
    if fault is Fault.BROKEN:
        return
    url = wanted.fhir_urls[place]
    port = url.removesuffix("/fhir").rpartition(":")[2]
    command = [
        *(sys.executable, "-m", "gateway.demo.fhir_server"),
        *("--data", str(prepared.fhir_data(place)), "--port", port),
    ]
    if fault is Fault.SLOW:
        command += ["--slow-s", str(SLOW_S)]
    if fault is Fault.WRONG:
        command += ["--wrong"]
    await children.start(f"fhir-{place}", command)
    await children.answering(f"{url}/metadata")


def _fhir_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/fhir"


def _token(prepared: Prepared, clock: Clock) -> str:
    settings = load_settings(prepared.configuration, {})
    surgery = AT[Place.GP].ods
    wanted = WantedToken(
        client_id=CLIENT,
        organisation=surgery,
        role="doctor",
        purposes=("direct-care",),
        relationships=(Relationship(kind="registered", organisation=surgery),),
    )
    return mint(settings, clock, wanted)


def _question(prepared: Prepared) -> dict[str, str]:
    return {"nhs_number": prepared.star.nhs_number, "purpose": "direct-care"}


async def _ask(
    options: DemoOptions, base: str, *, token: str, prepared: Prepared
) -> int:
    """Ask the rich journey and show it: 0 if every source answered, else 1."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=_ASKED_S) as client:
            response = await client.post(
                f"{base}/v1/journeys",
                headers={"Authorization": f"Bearer {token}"},
                json=_question(prepared),
            )
    except httpx.TransportError:
        message = f"the gateway does not answer. Look into {options.folder / 'logs'}."
        raise NotReady(message) from None
    answered = response.json()
    if response.status_code != 200:
        options.say(f"The gateway answered {response.status_code}:")
        options.say(json.dumps(answered, indent=2))
        return 1
    options.show(answered)
    return 0 if all_answered(answered) else 1


def all_answered(journey: Journey) -> bool:
    """Whether each of the six sources answered, and none of them with a refusal."""
    sources = journey["completeness"]["sources"]
    states = [(source["state"], source["reason"]) for source in sources]
    return len(states) == len(AT) and all(
        state in {"ok", "ok_empty", "unknown_person"}
        or (state, reason) == ("withheld", "policy")
        for state, reason in states
    )


def _tell(options: DemoOptions, base: str, *, token: str, prepared: Prepared) -> None:
    body = json.dumps(_question(prepared))
    lines = (
        "",
        f"Serving at      {base}",
        f"API             {base}/openapi.json",
        f"May I ask whom  {base}/v1/sources",
        f"Whom to ask for {prepared.folder / 'people.csv'}",
        f"Configuration   {prepared.configuration}",
        "",
        f"A token for a doctor of the surgery, good for an hour:\n{token}",
        "",
        "The same journey again:",
        _curl(base, token=token, body=body),
        "",
        "Ctrl-C stops everything.",
    )
    for line in lines:
        options.say(line)


def _curl(base: str, *, token: str, body: str) -> str:
    return (
        f"curl -s {base}/v1/journeys -H 'Authorization: Bearer {token}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )
