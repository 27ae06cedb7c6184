"""One configured source, checked: opened, asked, judged, closed.

It asks about people who do not exist. Only with a synthetic person's NHS number does
it ask about somebody, and then the audit trail says so first.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from adapters import nhs_number
from adapters.contract import Forgets, Identifiers, Watches
from adapters.errors import AdapterError, ConfigurationError
from adapters.http import AiohttpTransport
from adapters.rejects import RejectedRows, TellsRejected
from adapters.source_file import load
from adapters.tuples import Tuples
from gateway.audit.log import AuditUnavailable
from gateway.audit.records import SourceCheck
from gateway.audit.trail import open_trail
from gateway.checking import maturity, of_nobody, of_person, of_rights, of_rows
from gateway.checking.asking import Asker, Bounds, Told
from gateway.checking.feed import profile_feed
from gateway.checking.flags import flags_of
from gateway.checking.profile import DataProfile, profile_of
from gateway.checking.registered import Checked, Registered
from gateway.checking.remedies import remedy_of
from gateway.checking.report import Finding, Report, not_asked, note, ok, wrong
from gateway.checking.rows import read_rows
from gateway.clock import Clock
from gateway.service import VERSION
from gateway.sources import Means as Shared
from gateway.sources import open_registered

_ABILITIES: Final[tuple[type[Any], ...]] = (Watches, Forgets, Tuples, TellsRejected)
# What follows the first answer.
_AFTER: Final = (
    *("unknown-person", "identifiers", "held", "as-of", "fresh", "caveats"),
    *("window", "no-category", "limit", "timing"),
    *of_person.QUESTIONS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a check may use: `number` is a synthetic person's, ten digits, or None."""

    clock: Clock
    operator: str  # who runs it, as the audit trail names them: a code
    first_s: float  # the first answer's bound: a drop may have to be taken in
    number: str | None = field(default=None, repr=False)
    rows: int = 50_000  # looked at for the profile; 0 for none


async def check_source(registered: Registered, means: Means) -> Report:
    """Everything the check can find of a source.

    ConfigurationError if the audit trail's key or password cannot be had; whatever
    is wrong with the source, its own file included, stands in the report.
    """
    try:
        state = _own_state(registered.source.state)
    except OSError:
        return _unopened(
            registered,
            "its state directory cannot be written",
            where=registered.at("state"),
        )
    transport = AiohttpTransport()
    try:
        source = open_registered(
            registered.settings,
            registered.keeping_in(state),
            Shared(transport=transport, now=means.clock.now),
        )
    except ConfigurationError as error:
        return _unopened(registered, str(error), where=registered.file)
    else:
        return await check(Checked(registered=registered, source=source), means)
    finally:
        await transport.aclose()
        shutil.rmtree(state, ignore_errors=True)


async def check(checked: Checked, means: Means) -> Report:
    """The report of an opened source, which is closed at the end."""
    source_s = checked.registered.settings.limits.source_s
    asker = Asker(
        checked.source.adapter,
        place=checked.registered.file,
        clock=means.clock,
        bounds=Bounds(each_s=source_s, first_s=max(source_s, means.first_s)),
    )
    findings = [ok("source-file", "is right"), *flags_of(checked.registered)]
    try:
        told = await of_nobody.find_nobody(checked, asker)
        if isinstance(told, Finding):
            rest = [each for each in _AFTER if each != told.question]
            findings += [told, *not_asked(rest, "the first answer was none")]
        else:
            findings += await _asked(checked, asker, means, told=told)
        rejected = await asker.rejected()
    finally:
        closing = await asker.close()
    profiled = await _profiled(checked.registered, means)
    findings += [*_rows(checked, rejected), *_of_rows(checked, profiled), closing]
    profile = checked.source.adapter.profile
    return Report(
        source=checked.source.id,
        organisation=checked.source.organisation.ods,
        sector=checked.source.sector,
        file=checked.registered.file,
        findings=tuple(findings),
        adapter=profile.adapter,
        abilities=_abilities(checked),
        mapping=profile.mapping,
        held=tuple(sorted(profile.held)),
        identifier_systems=tuple(sorted(profile.identifier_systems)),
        as_of=None if isinstance(told, Finding) else told[0].answer.as_of,
        first_ms=asker.first_ms,
        p50_ms=asker.p50_ms,
        rejected=rejected if isinstance(rejected, tuple) else (),
        profile=profiled if isinstance(profiled, DataProfile) else None,
        maturity=maturity.maturity(_evidence(checked, findings)),
    )


def _abilities(checked: Checked) -> tuple[str, ...]:
    """What the adapter can do beside answering, as it declares by having it."""
    adapter = checked.source.adapter
    return tuple(each.__name__ for each in _ABILITIES if isinstance(adapter, each))


async def _profiled(
    registered: Registered, means: Means
) -> DataProfile | Finding | None:
    """The profile of the rows; None of a kind that has none to be read."""
    try:
        async with asyncio.timeout(means.first_s):
            held = await read_rows(registered, most=means.rows)
            if held is not None:
                return await asyncio.to_thread(profile_of, held)
            return await asyncio.to_thread(profile_feed, registered, most=means.rows)
    except TimeoutError:
        return _no_profile(registered, "took too long", "Look at fewer rows: --rows.")
    except AdapterError as error:
        return _no_profile(registered, f"{error.reason}: {error}", remedy_of(error))
    except ConfigurationError as error:
        return _no_profile(registered, str(error), "Correct it; check again.")
    except OSError:
        return _no_profile(registered, "its files cannot be read", "See who may.")


def _no_profile(registered: Registered, why: str, remedy: str) -> Finding:
    return note("rows-read", why, where=registered.file, remedy=remedy)


def _of_rows(checked: Checked, profiled: DataProfile | Finding | None) -> list[Finding]:
    if isinstance(profiled, DataProfile):
        return of_rows.judge(checked.registered, profiled)
    if profiled is None:
        why = "this kind has no rows to look at, or none were to be"
        return not_asked(of_rows.QUESTIONS, why)
    rest = [each for each in of_rows.QUESTIONS if each != profiled.question]
    return [profiled, *not_asked(rest, "the rows could not be read")]


def _evidence(checked: Checked, findings: Sequence[Finding]) -> maturity.Evidence:
    tables = load(checked.registered.source.file)
    return maturity.Evidence(
        findings=maturity.by_question(findings),
        source=checked.source,
        kind=str(tables.get("kind")),
        corrects=_corrects(tables),
    )


def _corrects(tables: Mapping[str, Any]) -> bool:
    """Whether a later record can take the place of the one it corrects.

    Drops that add up need an order of their own; all else is asked as it now is.
    """
    if tables.get("kind") != "csv_drop" or tables.get("mode", "replace") == "replace":
        return True
    return "version" in tables.get("mapping", {}) or bool(tables.get("drops"))


async def _asked(
    checked: Checked, asker: Asker, means: Means, *, told: tuple[Told, Identifiers]
) -> list[Finding]:
    first, nobody = told
    now = means.clock.now()
    return [
        *of_nobody.judge(checked, first),
        *await of_nobody.narrowed(checked, asker, nobody, now=now),
        *await of_rights.rights(checked),
        *await _of_person(checked, asker, means),
        _timing(checked, asker),
    ]


async def _of_person(checked: Checked, asker: Asker, means: Means) -> list[Finding]:
    """The questions about a person, if one is given and the trail has it."""
    if means.number is None:
        why = "needs a synthetic person whom the source holds: --nhs-number"
        return not_asked(of_person.QUESTIONS, why)
    if nhs_number.SYSTEM not in checked.source.identifier_systems:
        return not_asked(of_person.QUESTIONS, "it cannot be asked by NHS number")
    try:
        await _record(checked, means, means.number)
    except AuditUnavailable as error:
        unwritten = wrong(
            "audit",
            f"the audit trail cannot be written ({error.reason}): nobody is asked for",
            where=f"{checked.registered.config.name}: store",
            remedy="See that the store is there, whole, and has room.",
        )
        return [unwritten, *not_asked(of_person.QUESTIONS, "the trail comes first")]
    written = ok("audit", "the trail says who was asked for, before they were")
    return [written, *await of_person.of_person(checked, asker, means.number)]


async def _record(checked: Checked, means: Means, number: str) -> None:
    """Make durable that somebody is about to be asked for."""
    trail = open_trail(checked.registered.settings, means.clock)
    await trail.start(VERSION)
    try:
        await trail.append(
            SourceCheck(
                source=checked.source.id,
                organisation=checked.source.organisation.ods,
                operator=means.operator,
                subjects=(trail.subject_of(number),),
            )
        )
    finally:
        await trail.aclose()


def _own_state(state: Path) -> Path:
    """A directory within the source's own, so that a gateway that serves keeps its."""
    state.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="check-", dir=state))


def _unopened(registered: Registered, why: str, *, where: str) -> Report:
    found = wrong("source-file", why, where=where, remedy="Correct it; check again.")
    rest = not_asked(("reached", *_AFTER, *of_rows.QUESTIONS), "it was not opened")
    return Report(
        source=registered.source.id,
        organisation=registered.source.organisation,
        sector=registered.source.sector,
        file=registered.file,
        findings=(found, *flags_of(registered), *rest),
    )


def _timing(checked: Checked, asker: Asker) -> Finding:
    source_s = checked.registered.settings.limits.source_s
    first, p50 = asker.first_ms or 0, asker.p50_ms
    if p50 is None:
        return not_asked(["timing"], "only the first question was answered")[0]
    says = f"first {first} ms, then p50 {p50} ms, of {source_s:g} s allowed"
    if p50 > 1000 * source_s / 2:
        return note(
            "timing",
            says,
            where=checked.registered.file,
            remedy="Index what people are looked up by: a busy hour will be slower.",
        )
    if first > 1000 * source_s:
        return note(
            "timing",
            says,
            where=checked.registered.file,
            remedy="The first journey after a new drop or a start will miss it.",
        )
    return ok("timing", says)


def _rows(
    checked: Checked, rejected: Sequence[RejectedRows] | Finding | None
) -> list[Finding]:
    if isinstance(rejected, Finding):
        return [rejected]
    if rejected is None:
        return not_asked(["rows"], "this kind sets no rows aside before it is asked")
    if not rejected:
        return [ok("rows", "none was set aside")]
    total = sum(each.rows for each in rejected)
    return [
        note(
            "rows",
            f"{total} could not be read; every answer says so",
            where=checked.registered.file,
            remedy="Mend the drop or the mapping. quarantine.csv, in the state "
            "directory of the gateway that serves it, lists each.",
        )
    ]
