"""The commands by which a site's keys are made, renewed and told from others."""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from adapters.site.fingerprint import fingerprint
from adapters.site.keys import NotKeys, made_keys, own_keys, pinned_keys
from gateway.command_line import end

SiteId = Annotated[str, typer.Argument(help="The site's id, as site.toml has it.")]
Folder = Annotated[
    Path, typer.Option("--into", help="The directory of the site's keys.")
]
_PRIVATE: Final = "private.jwks"
_PUBLIC: Final = "public.jwks"
_NEXT: Final = "next-public.jwks"  # while keys are renewed: those that are not yet used


def keys(
    *,
    into: Annotated[
        Path, typer.Option("--into", help="A directory; the keys are made there.")
    ],
) -> None:
    """Make the keys of one end, a site or a gateway: private.jwks, public.jwks."""
    _make_both(into)
    typer.echo(f"Keep {into / _PRIVATE}. Hand {into / _PUBLIC} to the other end.")


def enrol(site: SiteId, *, into: Folder = Path("keys")) -> None:
    """Make a site's keys where it runs, and print what its gateway is to be shown."""
    public = _make_both(into)
    _hand_over(site, into / _PUBLIC, public)


def rotate(
    site: SiteId,
    *,
    into: Folder = Path("keys"),
    finish: Annotated[
        bool, typer.Option("--finish", help="Sign with the new keys from now on.")
    ] = False,
) -> None:
    """Make new keys beside those in use; once they are confirmed, `--finish` uses them.

    Restart the site after each of the two.
    """
    held = _held(into / _PRIVATE)
    is_under_way = (into / _NEXT).exists()
    if finish:
        if not is_under_way:
            end(f"{into / _NEXT} is not there: no keys are being renewed.")
        _use(into, held)
        typer.echo(f"Restart the site: from then on {site} signs with the new keys.")
        return
    if is_under_way:
        end(f"{into / _NEXT} is there: have it confirmed, then --finish; or remove it.")
    private, public = made_keys()
    _replace(into / _PRIVATE, [*_first(held), *json.loads(private)["keys"]])
    _make(into / _NEXT, public)
    typer.echo(
        "Restart the site before they are confirmed: then it can read with them."
    )
    _hand_over(site, into / _NEXT, public)


def show(
    owner: Annotated[str, typer.Argument(help="Whose keys: a site's or gateway's id.")],
    file: Annotated[Path, typer.Argument(help="A document of public keys.")],
) -> None:
    """Print the fingerprint of public keys, to compare with what the other end says."""
    try:
        typer.echo(fingerprint(owner, pinned_keys(file.read_text("ascii"))))
    except NotKeys as error:
        end(f"{file}: {error}")
    except (OSError, UnicodeDecodeError):
        end(f"{file} cannot be read. Name a document of public keys.")


def _make_both(into: Path) -> str:
    """New keys in a directory that holds none; the public document."""
    for name in (_PRIVATE, _PUBLIC):
        if (into / name).exists():
            end(f"{into / name} is there already: keys are never written over.")
    private, public = made_keys()
    try:
        into.mkdir(parents=True, exist_ok=True)
        _make(into / _PRIVATE, private)
        _make(into / _PUBLIC, public)
    except OSError:
        end(f"{into} cannot be written to. Name a directory of your own.")
    return public


def _hand_over(site: str, place: Path, public: str) -> None:
    typer.echo(f"Hand over {place}:\n{public}")
    told = fingerprint(site, pinned_keys(public))
    typer.echo(f"Read out, by another way, the fingerprint of {site}:\n{told}")


def _held(place: Path) -> list[dict[str, Any]]:
    """The keys of a private document, each with its use."""
    try:
        text = place.read_text("ascii")
        own_keys(text)
    except NotKeys as error:
        end(f"{place}: {error}")
    except (OSError, UnicodeDecodeError):
        end(f"{place} cannot be read. Make keys with throughline site enrol.")
    keys: list[dict[str, Any]] = json.loads(text)["keys"]
    return keys


def _first(held: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The key of each use that is in use."""
    uses = [[each for each in held if each["use"] == use] for use in ("sig", "enc")]
    return [of_use[0] for of_use in uses]


def _use(into: Path, held: list[dict[str, Any]]) -> None:
    """The new keys before those that were in use; done again, it changes nothing."""
    try:
        new = pinned_keys((into / _NEXT).read_text("ascii"))
    except (NotKeys, OSError, UnicodeDecodeError):
        end(f"{into / _NEXT} holds no public keys. Remove it, and begin again.")
    kids = {*new.signing, *new.sealing}
    ours = [each for each in held if each["kid"] in kids]
    if len(ours) != len(kids):
        end(f"{into / _NEXT} is not of the keys beside it. Remove it, and begin again.")
    others = [each for each in held if each["kid"] not in kids]
    _replace(into / _PRIVATE, [*ours, *others])
    (into / _NEXT).replace(into / _PUBLIC)


def _make(place: Path, text: str) -> None:
    """A new file, which nobody else may read, whole or not at all."""
    written = place.with_name(f".{place.name}.new")
    written.unlink(missing_ok=True)
    number = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "w", encoding="ascii") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    written.replace(place)


def _replace(place: Path, keys: list[dict[str, Any]]) -> None:
    _make(place, json.dumps({"keys": keys}, indent=1))
