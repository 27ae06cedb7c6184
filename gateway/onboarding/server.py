"""What a FHIR server says of itself, and a source file for it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from adapters import nhs_number
from adapters.errors import AdapterError
from adapters.fhir.capabilities import Capabilities, read_capabilities
from adapters.fhir.tables import TYPES_OF
from adapters.http import Request, Transport
from gateway.onboarding.sample import NotASample
from gateway.onboarding.write import comment, listed, quoted

_WAIT_S: Final = 30.0
_MEDIA: Final = "application/fhir+json"
_R4, _STU3 = ("4.0", "4.3"), ("3.0",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSeen:
    """A CapabilityStatement, as far as a source file needs it."""

    version: str | None
    software: str | None
    capabilities: Capabilities
    needs_token: bool


async def look_at_server(
    base_url: str, transport: Transport, *, headers: Mapping[str, str], loopback: bool
) -> ServerSeen:
    """Its statement. NotASample if what answers there is no FHIR server of ours."""
    request = Request(
        url=f"{base_url.rstrip('/')}/metadata",
        headers={"Accept": _MEDIA, **headers},
        connect_s=5.0,
        loopback=loopback,
    )
    try:
        async with asyncio.timeout(_WAIT_S):
            reply = await transport.send(request)
    except TimeoutError:
        raise NotASample(
            f"gave no statement within {_WAIT_S:g} s. Ask again."
        ) from None
    except AdapterError as error:
        told = str(error).rstrip(".?")
        message = f"cannot be asked ({error.reason}): {told}. See that it runs there."
        raise NotASample(message) from None
    if reply.status in {401, 403}:
        raise NotASample("lets nobody in without a token. Say where it is: --token.")
    if reply.status != 200:
        message = f"answered {reply.status} at /metadata. Give its FHIR base address."
        raise NotASample(message)
    return read_statement(reply.body)


def read_statement(body: bytes) -> ServerSeen:
    """A CapabilityStatement (R4) or Conformance of the same shape (STU3), in JSON."""
    try:
        told: Any = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, RecursionError):
        told = None
    if not isinstance(told, dict) or told.get("resourceType") != "CapabilityStatement":
        raise NotASample("told no CapabilityStatement. Give its FHIR base address.")
    return ServerSeen(
        version=_text(told.get("fhirVersion")),
        software=_text(_inside(told, "software", "name")),
        capabilities=read_capabilities(body),
        needs_token=any(_has_security(each) for each in _list(told.get("rest"))),
    )


def _text(value: object) -> str | None:
    return value[:80] if isinstance(value, str) else None


def _inside(told: Mapping[str, Any], *keys: str) -> object:
    found: object = told
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _has_security(rest: object) -> bool:
    return isinstance(rest, dict) and bool(_inside(rest, "security", "service"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerWanted:
    """Where the server is, and what was said of it."""

    base_url: str
    token: str | None  # a reference
    key_system: str | None
    loopback: bool


def of_server(seen: ServerSeen, wanted: ServerWanted) -> list[str]:
    """The source file, each line with what it rests on."""
    return [
        *_top(seen, wanted),
        *_types(seen.capabilities, _known_types(seen.version)),
        "",
        *_identifiers(seen.capabilities, wanted),
        *_auth(seen, wanted),
    ]


def _top(seen: ServerSeen, wanted: ServerWanted) -> Iterator[str]:
    if seen.software:
        yield from comment(f"It calls itself {' '.join(seen.software.split())}.")
    yield 'kind = "fhir"'
    yield f"base_url = {quoted(wanted.base_url)}"
    if wanted.loopback:
        yield "loopback = true                     # it runs on this machine"
    yield from comment(_of_version(seen.version))
    if _is_stu3(seen.version):
        yield 'version = "STU3"'


def _is_stu3(version: str | None) -> bool:
    return version is not None and version.startswith(_STU3)


def _known_types(version: str | None) -> Sequence[str]:
    """The types that have a place in a journey, in the words of this version."""
    return TYPES_OF["STU3" if _is_stu3(version) else "R4"]


def _of_version(version: str | None) -> str:
    if version is None:
        return "LOOK: it does not say which version of FHIR it speaks: ask its owner."
    if version.startswith(_R4):
        return f"sure: it speaks FHIR R4 ({version})"
    if _is_stu3(version):
        return f"sure: it speaks FHIR STU3 ({version})"
    return f"LOOK: it speaks FHIR {version}; R4 and STU3 are read. Ask for those."


def _types(told: Capabilities, known: Sequence[str]) -> Iterator[str]:
    if not told.parameters:
        yield "# LOOK: it does not say what it can be searched for: all are asked."
        return
    searched = [each for each in known if told.may_search(each)]
    if not searched:
        yield from comment(
            "LOOK: it lists none of the types that have a place in a journey as one "
            "it can be searched for: all are asked."
        )
        return
    strange = len(set(told.parameters) - set(known) - {"Patient"})
    yield from comment(
        f"sure: these {len(searched)} of the types that have a place in a journey it "
        f"says it can be searched for; {strange} others have none"
    )
    yield f"types = {listed(searched)}"
    unfiltered = [each for each in searched if not _by_patient(told, each)]
    if unfiltered:
        yield from comment(
            "LOOK: it lists no parameter patient or subject of "
            f"{', '.join(unfiltered)}: source check shows whether it finds them."
        )


def _by_patient(told: Capabilities, name: str) -> bool:
    return told.may_filter(name, "patient") or told.may_filter(name, "subject")


def _identifiers(told: Capabilities, wanted: ServerWanted) -> Iterator[str]:
    if not told.may_filter("Patient", "identifier"):
        yield from comment(
            "LOOK: it lists no parameter identifier of Patient, so that nobody may "
            "be found there by NHS number."
        )
    yield "[identifiers]"
    systems = [nhs_number.SYSTEM, *([wanted.key_system] if wanted.key_system else [])]
    if wanted.key_system is None:
        yield from comment(
            "guessed: by NHS number alone. Add the system of the server's own numbers "
            "if other sources know people by them."
        )
    yield f"systems = {listed(systems)}"


def _auth(seen: ServerSeen, wanted: ServerWanted) -> Iterator[str]:
    if wanted.token is not None:
        yield ""
        yield "[auth]"
        yield 'kind = "bearer"'
        yield f"token = {quoted(wanted.token)}"
    elif seen.needs_token:
        yield ""
        yield from comment(
            "LOOK: it says that it wants to know who asks. docs/source-fhir.md tells "
            "how: [auth] of kind bearer, basic or oauth2, or [tls]."
        )
