"""`throughline policy …`: what people need who keep agreements and rules as files."""

import json
import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn

import typer

from gateway.clock import SystemClock
from gateway.command_line import end, explained
from gateway.policy.composition import Composition
from gateway.policy.occasion import Known, known_of
from gateway.policy.signing import sign
from gateway.policy_files import told
from gateway.policy_files.comparing import (
    compared,
    known_to,
    read_questions,
    read_request,
    tried,
)
from gateway.policy_files.expected import Missed, missed, read_expected, strangers
from gateway.policy_files.linting import Finding, linted, no_opinion, second_opinion
from gateway.policy_files.opened import (
    Desk,
    composition_of,
    decisions_of,
    policy_paths,
)
from gateway.policy_files.shelf import compiled, unsigned
from gateway.terminal import plain
from policies.analysis.atoms import EVERY_DUTY
from policies.analysis.lawfulness import Circumstances
from policies.analysis.replay import replay
from policies.errors import Invalid
from policies.exports.cedar import cedar_texts
from policies.exports.fhir_permission import fhir_permissions
from policies.near_misses import decide_and_explain
from policies.reading import Node

policy = typer.Typer(
    help="Agreements and local rules kept as files.", no_args_is_help=True
)

_USUAL: Final = Path("throughline.toml")
_REPLAYED: Final = 1_000

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Files, folders, or a throughline.toml; without any, that of --config."
    ),
]
Config = Annotated[
    Path, typer.Option("--config", help="The throughline.toml to use.", dir_okay=False)
]
AsSigned = Annotated[
    bool,
    typer.Option("--as-signed", help="As though every party had signed its text."),
]
Against = Annotated[
    Path | None,
    typer.Option(help="What stands before: a file, a folder; without it, --config."),
]
At = Annotated[
    str | None,
    typer.Option("--at", help="As of then, such as 2031-06-01T12:00:00Z; now."),
]
AsJson = Annotated[bool, typer.Option("--json", help="As one JSON document.")]


class Form(StrEnum):
    """The forms a set can be exported in."""

    CEDAR = "cedar"
    CEDAR_CONSTRAINTS = "cedar-constraints"
    CEDAR_SCHEMA = "cedar-schema"
    FHIR_PERMISSION = "fhir-permission"


@policy.command("lint")
def lint(  # noqa: PLR0913 - one option for each thing the gate must know
    files: Files = None,
    *,
    config: Annotated[
        Path | None, typer.Option(help="Whose files, practices and organisations.")
    ] = None,
    general_practice: Annotated[
        list[str] | None,
        typer.Option(help="ODS code of a general practice; may be repeated."),
    ] = None,
    oracle: Annotated[bool, typer.Option(help="Ask for a second opinion.")] = True,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Say all that is wrong or odd; exit 1 if anything would be refused."""
    desk = _desk(at)
    named = files or [config or _USUAL]
    config = config or next((each for each in named if each.suffix == ".toml"), None)
    with explained():
        around = _circumstances(config, general_practice or (), desk)
        paths = policy_paths(named, desk)
        asked = second_opinion if oracle else no_opinion
        found = linted(paths, around, oracle=asked)
    if as_json:
        _print_json([each.as_json() for each in found])
    else:
        _say([*(each.sentence for each in found), _count(found)])
    raise typer.Exit(any(each.severity == "refuse" for each in found))


@policy.command("diff")
def diff(  # noqa: PLR0913 - one option for each way to compare
    before: Annotated[Path, typer.Argument(help="A file, folder or throughline.toml.")],
    after: Annotated[list[Path], typer.Argument(help="The same, or several files.")],
    *,
    as_signed: Annotated[
        bool, typer.Option("--as-signed", help="AFTER as though signed by all.")
    ] = False,
    both_as_signed: Annotated[
        bool, typer.Option("--both-as-signed", help="BEFORE too.")
    ] = False,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Say who would newly see more or less; exit 1 if anything differs."""
    desk = _desk(at)
    with explained():
        was = composition_of([before], desk, signed=both_as_signed, may_be_empty=True)
        signed = as_signed or both_as_signed
        will_be = composition_of(after, desk, signed=signed, may_be_empty=True)
        for each in (was, will_be):
            _note_unsigned(each)
        found = compared(compiled(was), compiled(will_be), desk.now)
    if as_json:
        _print_json(found.as_json())
    else:
        _say(found.lines())
    raise typer.Exit(not found.is_alike)


@policy.command("what-if")
def what_if(  # noqa: PLR0913 - one option for each thing that is supposed
    files: Files = None,
    *,
    questions: Annotated[Path, typer.Option(help="YAML or CSV of questions.")],
    against: Against = None,
    config: Config = _USUAL,
    as_signed: AsSigned = False,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Decide given questions before and after; exit 1 if any would change."""
    desk = _desk(at)
    with explained():
        was = composition_of([against or config], desk, may_be_empty=True)
        will_be = _held(files or [config], desk, signed=as_signed)
        before, after = compiled(was), compiled(will_be)
        asked = read_questions(questions, known_to(desk.now, before, after))
        found = tried(asked, before, after)
    if as_json:
        _print_json(
            [told.considered_as_json(q.name, q.asked, each) for q, each in found]
        )
    else:
        _say(told.considered_line(q.name, each) for q, each in found)
    raise typer.Exit(any(told.is_changed(each) for _, each in found))


@policy.command("explain")
def explain(  # noqa: PLR0913 - one option for each way to ask
    files: Files = None,
    *,
    request: Annotated[
        list[str],
        typer.Option(help='Pairs such as "role=gp purpose=direct-care"; adds up.'),
    ],
    full: Annotated[
        bool, typer.Option("--full", help="Every reason and near miss.")
    ] = False,
    config: Config = _USUAL,
    as_signed: AsSigned = False,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Decide one question, and say why; a caller is told what is told here."""
    desk = _desk(at)
    with explained():
        held = _held(files or [config], desk, signed=as_signed)
        policy_set = compiled(held)
        try:
            asked = read_request(request, known_to(desk.now, policy_set))
        except Invalid as error:
            _end_wrong(error)
    decision, near = decide_and_explain(
        policy_set, asked.request, asked.cell, supported=EVERY_DUTY, in_full=full
    )
    shown = decision if full else told.as_to_a_caller(decision)
    if as_json:
        _print_json(told.decision_as_json(asked, shown, near))
    else:
        _say(told.explanation_lines(shown, near))


@policy.command("replay")
def replay_(  # noqa: PLR0913 - one option for each thing that is replayed
    files: Files = None,
    *,
    against: Against = None,
    decisions: Annotated[
        Path | None,
        typer.Option(help="Records of the trail, one a line; else --config's store."),
    ] = None,
    config: Config = _USUAL,
    last: Annotated[int, typer.Option(help="How many.", min=1, max=100_000)] = (
        _REPLAYED
    ),
    as_signed: AsSigned = False,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Make recorded decisions again; exit 1 if any would come out otherwise."""
    desk = _desk(at)
    with explained():
        was = composition_of([against or config], desk, may_be_empty=True)
        will_be = _held(files or [config], desk, signed=as_signed)
        recorded = decisions_of(decisions or config, desk, most=last)
        found = replay(recorded, compiled(was), compiled(will_be))
    if as_json:
        _print_json(told.replayed_as_json(found))
    else:
        _say(told.replayed_lines(found))
    raise typer.Exit(bool(found.changed))


@policy.command("export")
def export(
    files: Files = None,
    *,
    form: Annotated[Form, typer.Option("--as", help="In which form.")],
    config: Config = _USUAL,
    as_signed: AsSigned = False,
    at: At = None,
) -> None:
    """Print a set for other tools to read."""
    desk = _desk(at)
    with explained():
        held = _held(files or [config], desk, signed=as_signed)
        policy_set = compiled(held)
    if form is Form.FHIR_PERMISSION:
        _print_json(fhir_permissions(held.members, held.signatures))
        return
    texts = cedar_texts(policy_set)
    by_form = {
        Form.CEDAR: texts.policies,
        Form.CEDAR_CONSTRAINTS: texts.constraints,
        Form.CEDAR_SCHEMA: texts.schema,
    }
    typer.echo(by_form[form].rstrip())


@policy.command("test")
def hold(  # noqa: PLR0913 - one option for each way to run it
    files: Files = None,
    *,
    expect: Annotated[Path, typer.Option(help="CSV or YAML of expected decisions.")],
    config: Config = _USUAL,
    as_signed: AsSigned = False,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Hold a table of expected decisions against a set; exit 1 if any is missed."""
    desk = _desk(at)
    with explained():
        held = _held(files or [config], desk, signed=as_signed)
        policy_set = compiled(held)
        rows = read_expected(expect, known_to(desk.now, policy_set))
    for each, part in strangers(rows, (m.document for m in held.members)):
        place = f"{each.place.file}, line {each.place.line}"
        typer.echo(f"note: {place}: no document names its {part}.", err=True)
    found = list(missed(policy_set, rows))
    if as_json:
        told_ = [_missed_as_json(each) for each in found]
        _print_json({"rows": len(rows), "missed": told_})
    else:
        _say(line for each in found for line in _missed_lines(each))
        _say([f"{len(rows) - len(found)} of {len(rows)} as expected"])
    raise typer.Exit(bool(found))


@policy.command("sign")
def policy_sign(
    document: Annotated[Path, typer.Argument(help="The agreement's YAML file.")],
    *,
    organisation: Annotated[str, typer.Option(help="ODS code that signs.")],
    person: Annotated[str, typer.Option(help="Who signs for it.")],
    capacity: Annotated[str, typer.Option(help="As what.")] = "caldicott",
) -> None:
    """Print a signature of an agreement's present text, to keep beside it."""
    with explained():
        signed = sign(
            document,
            organisation,
            person=person,
            capacity=capacity,
            clock=SystemClock(),
        )
        typer.echo(signed, nl=False)


def _desk(at: str | None) -> Desk:
    environ = os.environ  # noqa: TID251 - the edge that hands the environment in
    return Desk(now=_instant(at), environ=environ)


def _instant(at: str | None) -> datetime:
    if at is None:
        return SystemClock().now()
    try:
        return Node(at, "--at").instant()
    except Invalid as error:
        _end_wrong(error)


def _end_wrong(error: Invalid) -> NoReturn:
    end(plain(str(error)))


def _held(files: Sequence[Path], desk: Desk, *, signed: bool) -> Composition:
    """What the files that are looked at hold; who has yet to sign is said beside."""
    found = composition_of(files, desk, signed=signed, may_be_empty=False)
    _note_unsigned(found)
    return found


def _note_unsigned(composition: Composition) -> None:
    """On stderr, as what is printed may be read by a program."""
    for identity, organisations in unsigned(composition).items():
        owing = ", ".join(organisations)
        message = (
            f"note: {identity} is not signed in this text by {owing}; it gives nothing "
            "of theirs and nothing to them. --as-signed supposes that it were."
        )
        typer.echo(message, err=True)


def _circumstances(
    config: Path | None, practices: Sequence[str], desk: Desk
) -> Circumstances:
    """What the gate knows of the world: all a configuration says, if there is one."""
    known = Known() if config is None else known_of(desk.settings(config))
    return Circumstances(
        now=desk.now,
        general_practices=known.general_practices | frozenset(practices),
        organisations=known.organisations,
    )


def _count(found: Sequence[Finding]) -> str:
    refused = sum(each.severity == "refuse" for each in found)
    warned = len(found) - refused
    return f"{refused} to mend, {warned} to note" if found else "nothing to mend"


def _missed_lines(each: Missed) -> Iterable[str]:
    place = each.expected.place
    yield f"{place.file}, line {place.line}: {each.expected.name}"
    yield f"  expected: {each.expected.said}"
    yield f"  got:      {each.got}"


def _missed_as_json(each: Missed) -> dict[str, Any]:
    expected = each.expected
    return {
        "name": expected.name,
        "file": expected.place.file,
        "line": expected.place.line,
        "expected": {
            "effect": expected.effect,
            "code": expected.code,
            "authority": expected.authority,
        },
        "got": told.decision_as_json(expected.asked, each.decision)
        | {"effect": each.effect},
    }


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        typer.echo(plain(line))


def _print_json(value: object) -> None:
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
