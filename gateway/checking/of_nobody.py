"""What a source can be asked about nobody: numbers that were never issued."""

from datetime import datetime, timedelta
from typing import Final

from adapters import nhs_number
from adapters.contract import Answer, Identifier, Identifiers
from adapters.moment import LONDON
from adapters.rejects import TellsRejected
from adapters.vocabulary import CATEGORIES, CAVEATS
from gateway.checking.asking import Asker, Narrowed, Told
from gateway.checking.registered import Checked
from gateway.checking.report import Finding, note, ok, wrong

# Of the 999 range, which is never issued; its last ones, which test data seldom uses.
STRANGERS: Final = ("9999999980", "9999999964", "9999999948")
_BY_ROW: Final = frozenset({"rows_rejected"})  # told by file and column instead
_OUT_OF_ORDER: Final = {
    "stale_intake": "Look at the newest drop: the one before it is what is told.",
    "drop_missing": "Have the promised drop sent.",
    "arrival_failed": "Look at the inbox named in [arrival], and what it refuses.",
}


def strangers(systems: frozenset[str]) -> list[Identifiers]:
    """People who do not exist, by an identifier that the source can be asked by."""
    if nhs_number.SYSTEM in systems or not systems:
        return [Identifiers(nhs_number=each) for each in STRANGERS]
    return [
        Identifiers(
            others=frozenset(Identifier(each, f"NOBODY-{n}") for each in systems)
        )
        for n in range(len(STRANGERS))
    ]


async def find_nobody(
    checked: Checked, asker: Asker
) -> tuple[Told, Identifiers] | Finding:
    """The first answer about somebody whom the source does not know.

    A Finding where it cannot be reached, or knows everybody.
    """
    for person in strangers(checked.source.identifier_systems):
        told = await asker.put("reached", person)
        if isinstance(told, Finding):
            return told
        if not _knows(told.answer, person):
            return told, person
    return wrong(
        "unknown-person",
        "knows each of three people who do not exist",
        where=checked.registered.file,
        remedy="See that it finds people by what was asked, and does not echo it.",
    )


def _knows(answer: Answer, person: Identifiers) -> bool:
    header = answer.person.identifiers if answer.person else frozenset()
    subjects = [event.subject or frozenset() for event in answer.events]
    return any(person.every & each for each in (header, *subjects))


def judge(checked: Checked, told: Told) -> list[Finding]:
    """What one answer about nobody shows of the source."""
    return [
        ok("reached", "answers"),
        _unknown_person(checked, told.answer),
        _identifiers(checked),
        _held(checked, told.answer),
        *_as_of(checked, told),
        *_caveats(checked, told.answer),
    ]


async def narrowed(
    checked: Checked, asker: Asker, person: Identifiers, *, now: datetime
) -> list[Finding]:
    """Windows, no category and a limit, each asked about nobody."""
    today = now.astimezone(LONDON).date()
    asked: list[tuple[str, Narrowed, int]] = [
        ("window", {"since": today, "until": today}, 0),
        ("window", {"since": today - timedelta(days=30), "until": None}, 0),
        ("window", {"since": None, "until": today}, 0),
        ("no-category", {"categories": frozenset()}, 0),
        ("limit", {"limit": 1}, 1),
    ]
    found: dict[str, Finding] = {}
    for question, narrow, most in asked:
        told = await asker.put(question, person, **narrow)
        if isinstance(told, Finding):
            found[question] = told
        elif len(told.answer.events) > most:
            found[question] = wrong(
                question,
                f"told records that are outside what was asked: {_shown(narrow)}",
                where=checked.registered.file,
                remedy="Apply it at the source, or in the adapter after it.",
            )
        else:
            found.setdefault(question, ok(question, "taken, and kept to"))
    return list(found.values())


def _shown(narrow: Narrowed) -> str:
    return ", ".join(sorted(narrow))


def _unknown_person(checked: Checked, answer: Answer) -> Finding:
    question = "unknown-person"
    if answer.events or answer.person is not None:
        return wrong(
            question,
            "asked for somebody who does not exist, it told of somebody else",
            where=checked.registered.file,
            remedy="See that it finds people by the identifier that is asked.",
        )
    return ok(question, "is nobody, and no error")


def _identifiers(checked: Checked) -> Finding:
    systems = checked.source.identifier_systems
    if not systems:
        return wrong(
            "identifiers",
            "can be asked by no identifier",
            where=checked.registered.file,
            remedy="Say which identifiers it knows people by.",
        )
    if nhs_number.SYSTEM not in systems:
        return note(
            "identifiers",
            "cannot be asked by NHS number: only once another source taught its own",
            where=checked.registered.file,
            remedy=f"Add {nhs_number.SYSTEM} if it holds NHS numbers.",
        )
    others = sorted(systems - {nhs_number.SYSTEM})
    return ok("identifiers", ", ".join(["by NHS number", *others]))


def _held(checked: Checked, answer: Answer) -> Finding:
    profile, place = checked.source.held, checked.registered.file
    if strange := (profile | answer.held) - CATEGORIES:
        return wrong(
            "held",
            f"{len(strange)} of its categories are not of the vocabulary",
            where="the adapter",
            remedy=f"Use only: {', '.join(sorted(CATEGORIES))}.",
        )
    if not answer.held:
        return wrong(
            "held",
            "says that it holds no category",
            where=place,
            remedy="Map a kind, or name a type, that it holds.",
        )
    if answer.held - profile:
        return wrong(
            "held",
            "its answer holds more than it is asked for: "
            + ", ".join(sorted(answer.held - profile)),
            where="the adapter",
            remedy="Let the profile name every category it can tell of.",
        )
    if refused := profile - answer.held:
        return note(
            "held",
            f"cannot tell now of {', '.join(sorted(refused))}",
            where=place,
            remedy="Have the source answer for them, or take their types out.",
        )
    return ok("held", ", ".join(sorted(answer.held)))


def _as_of(checked: Checked, told: Told) -> list[Finding]:
    as_of = told.answer.as_of
    if as_of.tzinfo is None:
        return [
            wrong(
                "as-of",
                "has no time zone",
                where="the adapter",
                remedy="Give aware instants alone.",
            )
        ]
    if as_of > told.at:
        return [
            wrong(
                "as-of",
                f"lies in the future: {as_of.isoformat()}",
                where="the source",
                remedy="Set the clock that writes it, or its time zone.",
            )
        ]
    stated = ok("as-of", as_of.isoformat())
    age, fresh_s = told.at - as_of, checked.source.fresh_s
    if age.total_seconds() > fresh_s:
        late = wrong(
            "fresh",
            f"is {round(age.total_seconds())} s old; fresh_s promises {fresh_s} s",
            where=checked.registered.at("fresh_s"),
            remedy="Have it brought up to date, or promise what it can keep.",
        )
        return [stated, late]
    return [stated, ok("fresh", f"within the {fresh_s} s promised")]


def _caveats(checked: Checked, answer: Answer) -> list[Finding]:
    told = {caveat.code for caveat in answer.caveats}
    if strange := told - set(CAVEATS):
        return [
            wrong(
                "closed-lists",
                f"{len(strange)} of its caveats are not of the vocabulary",
                where="the adapter",
                remedy="Use the codes of adapters/vocabulary.json alone.",
            )
        ]
    place = checked.registered.file
    found = [
        wrong("caveats", f"{code}: {CAVEATS[code]}", where=place, remedy=remedy)
        for code, remedy in _OUT_OF_ORDER.items()
        if code in told
    ]
    apart = isinstance(checked.source.adapter, TellsRejected)
    others = sorted(told - _OUT_OF_ORDER.keys() - (_BY_ROW if apart else set()))
    found += [
        note(
            "caveats",
            f"{code}: {CAVEATS[code]}",
            where=place,
            remedy="Every answer will say so, until the source is mended.",
        )
        for code in others
    ]
    return found or [ok("caveats", "none that every answer would carry")]
