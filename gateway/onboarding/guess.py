"""Which column plays which part: by its name, and by what stands in it. Pure.

A name alone is a guess; a name and a content that agree are sure. What cannot be told
apart is left for somebody to say.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Final

from adapters import nhs_number
from gateway.onboarding import times
from gateway.onboarding.dates import HOUR_OFFSET
from gateway.onboarding.facts import (
    PEOPLE,
    Facts,
    depends,
    facts_of,
    percent,
    shared_words,
)
from gateway.onboarding.proposal import (
    CodeGuess,
    Guess,
    Placeholder,
    Proposal,
    StatusGuess,
)
from gateway.onboarding.sample import Sample
from gateway.onboarding.synonyms import STRONG, synonyms
from gateway.onboarding.taken import Taken

SNOMED: Final = "http://snomed.info/sct"
ICD_10: Final = "http://hl7.org/fhir/sid/icd-10"
_SHOWN_BY: Final = {
    SNOMED: "keep the check digit of SNOMED CT",
    ICD_10: "are written as ICD-10 is",
}
_SURE: Final = 0.98
_MANY_WORDS: Final = 30  # a status has fewer
_MANY_PLACEHOLDERS: Final = 10
_MOST_OTHERS: Final = 12  # columns tried beside person and start
_WORDS_SAME: Final = 0.5  # of its rows a status word we know must be


def guess(sample: Sample, *, sector: str) -> Proposal:
    """What can be told of a sample, for a source of this sector."""
    lists = synonyms()
    taken = Taken(sample=sample, facts=facts_of(sample, lists), lists=lists)
    kind, because = lists.kind(sample.columns, sector)
    found = Proposal(
        rows=len(sample.rows),
        kind=Guess(columns=(kind,), is_sure=False, because=_of_kind(because, sector)),
        nhs_number=_nhs_number(taken),
        absent=_absent(taken),
    )
    found = times.placed(found, taken)
    found = _with_people(found, taken)
    found = replace(found, person_key=_person_key(taken, found))
    found = replace(found, record_id=_record_id(taken, found))
    found = replace(found, organisation=_organisation(taken), version=_version(taken))
    found = replace(found, status=_status(taken, found))
    found = replace(found, codes=tuple(_codes(taken)), title=_title(taken))
    return replace(
        found,
        placeholders=tuple(_placeholders(taken, found)),
        unmapped=tuple(name for name in taken.facts if name not in taken.columns),
        warnings=tuple(_warnings(taken)),
    )


def _of_kind(words: Sequence[str], sector: str) -> str:
    if not words:
        return f"what the sector {sector} mostly sends; the names say nothing"
    return f"the columns speak of {', '.join(words)}"


def _nhs_number(taken: Taken) -> Guess | None:
    fits = [f for f in taken.free() if f.filled and f.numbers > 0.5 * f.filled]
    if not fits:
        return None
    chosen = max(
        fits, key=lambda f: (taken.strength(f, "nhs_number"), f.numbers / f.filled)
    )
    taken.take(chosen.name)
    valid = percent(chosen.numbers, chosen.filled)
    empty = chosen.rows - chosen.filled
    return Guess(
        columns=(chosen.name,),
        is_sure=chosen.numbers > 0.9 * chosen.filled,
        because=f"{valid} of {chosen.filled} filled cells pass Modulus 11; "
        f"{empty} are empty",
    )


def _absent(taken: Taken) -> tuple[str, ...]:
    """Words for nothing that stand in any column, once each."""
    found = {word.casefold() for f in taken.facts.values() for word in f.absent}
    return tuple(sorted(found))


def _person_key(taken: Taken, found: Proposal) -> Guess | None:
    numbers = found.nhs_number.column if found.nhs_number else None
    born = found.birth_date.column if found.birth_date else None
    witness = numbers or born
    fits = [f for f in taken.free() if _may_be_key(taken, f)]
    named = taken.best("person_key", fits)
    if named is not None:
        taken.take(named.name)
        agrees = depends(taken.sample, witness, named.name) if witness else 0.0
        return Guess(
            columns=(named.name,),
            is_sure=taken.strength(named, "person_key") == STRONG and agrees > _SURE,
            because=f"by its name{_witnessed(agrees, witness)}",
        )
    if numbers is None:
        return None
    for each in fits:
        if _is_twin(taken.sample, each.name, numbers):
            taken.take(each.name)
            return Guess(
                columns=(each.name,),
                is_sure=False,
                because=f"each value stands beside one {numbers!r}, and the reverse",
            )
    return None


def _may_be_key(taken: Taken, facts: Facts) -> bool:
    others = ("surname", "forename", "name", "postcode", "address", "gender")
    is_other = any(taken.strength(facts, role) == STRONG for role in others)
    fits = facts.dates is None and not facts.clock and facts.filled > 0.5 * facts.rows
    return fits and not is_other and facts.distinct > 1 and facts.longest <= 64


def _witnessed(agrees: float, witness: str | None) -> str:
    if witness is None or not agrees:
        return ""
    return f"; {percent(agrees, 1)} of its values stand beside one {witness!r} alone"


def _is_twin(sample: Sample, column: str, numbers: str) -> bool:
    both = depends(sample, numbers, column), depends(sample, column, numbers)
    return min(both) >= _SURE


def _record_id(taken: Taken, found: Proposal) -> Guess | None:
    fits = [
        f
        for f in taken.free()
        if f.dates is None and not f.clock and f.longest <= 128 and not _is_prose(f)
    ]
    unique = [f for f in fits if f.is_unique and not f.numbers]
    named = taken.best("record_id", unique)
    nearly = taken.best(
        "record_id", [f for f in fits if _is_nearly_unique(f)], least=STRONG
    )
    if named or nearly:
        chosen = named or nearly
        assert chosen is not None  # noqa: S101 - one of the two is
        taken.take(chosen.name)
        return Guess(
            columns=(chosen.name,),
            is_sure=named is not None and taken.strength(named, "record_id") == STRONG,
            because=_uniqueness(chosen),
        )
    if unique:
        taken.take(unique[0].name)
        return Guess(
            columns=(unique[0].name,),
            is_sure=False,
            because=f"{_uniqueness(unique[0])}; its name does not say so",
        )
    return _joined_id(taken, found)


def _is_prose(facts: Facts) -> bool:
    return any(" " in word.strip() for word in list(facts.words)[:50])


def _is_nearly_unique(facts: Facts) -> bool:
    return facts.distinct >= 0.95 * facts.rows and not facts.numbers


def _uniqueness(facts: Facts) -> str:
    twice = facts.filled - facts.distinct
    if not twice:
        return f"no value stands on two of {facts.rows} rows"
    return f"{twice} of {facts.rows} rows repeat a value that stands before"


def _joined_id(taken: Taken, found: Proposal) -> Guess | None:
    """Person and start, and the fewest columns that make them stand on one row only."""
    base = [found.person_key.column] if found.person_key else []
    base += [found.start.column] if found.start else []
    others = [
        f.name
        for f in taken.free()
        if f.filled == f.rows and f.distinct > 1 and not f.numbers
    ]
    rows = list(dict.fromkeys(map(tuple, taken.sample.rows)))
    for size in range(3):
        for more in combinations(others[:_MOST_OTHERS], size):
            names = (*base, *more)
            places = [taken.sample.columns.index(name) for name in names]
            joined = {tuple(row[at].strip() for at in places) for row in rows}
            if len(names) > 1 and len(joined) == len(rows):
                return Guess(
                    columns=names,
                    is_sure=False,
                    because="no column alone is unique; together these are, on "
                    f"{len(rows)} rows",
                )
    return None


def _with_people(found: Proposal, taken: Taken) -> Proposal:
    """Demographics: for the check that it is the right person."""
    first, last = (_by_name(taken, role) for role in ("forename", "surname"))
    whole = None if first or last else _by_name(taken, "name")
    parts = tuple(each.column for each in (first, last, whole) if each)
    while any(_by_name(taken, role, dated=True) for role in ("address", "death_date")):
        pass  # taken, and left out: no mapping needs them
    return replace(
        found,
        name=Guess(columns=parts, is_sure=False, because="by name") if parts else None,
        gender=_by_name(taken, "gender"),
        postcode=_by_name(taken, "postcode"),
    )


def _by_name(taken: Taken, role: str, *, dated: bool = False) -> Guess | None:
    fits = [f for f in taken.free() if f.filled and (f.dates is None or dated)]
    found = taken.best(role, fits, least=STRONG)
    if found is None:
        return None
    taken.take(found.name)
    return Guess(columns=(found.name,), is_sure=False, because="by its name")


def _organisation(taken: Taken) -> Guess | None:
    fits = [f for f in taken.free() if f.filled and f.ods > _SURE]
    found = taken.best("organisation", fits, least=STRONG)
    if found is None:
        return None
    taken.take(found.name)
    because = "by its name; its cells are written as ODS codes are"
    return Guess(columns=(found.name,), is_sure=False, because=because)


def _version(taken: Taken) -> Guess | None:
    return _by_name(taken, "version")


def _status(taken: Taken, found: Proposal) -> StatusGuess | None:
    fits = [f for f in taken.free() if 0 < f.distinct <= _MANY_WORDS]
    named = taken.best("status", fits)
    chosen = named or next((f for f in fits if _speaks_of_status(taken, f)), None)
    if chosen is None:
        return None
    known = {
        word: taken.lists.statuses[word.casefold()]
        for word in chosen.words
        if word.casefold() in taken.lists.statuses
    }
    if not known:
        return None
    taken.take(chosen.name)
    shown = _shared(taken, chosen.name, found)
    strange = {w: n for w, n in chosen.words.items() if w not in known}
    return StatusGuess(
        column=chosen.name,
        because="by its name and its words" if named else "by its words",
        codes=known,
        untranslated=tuple(w for w in strange if w in shown),
        others=sum(n for w, n in strange.items() if w not in shown),
    )


def _speaks_of_status(taken: Taken, facts: Facts) -> bool:
    known = (n for w, n in facts.words.items() if w.casefold() in taken.lists.statuses)
    return facts.is_text and sum(known) > _WORDS_SAME * facts.filled


def _shared(taken: Taken, column: str, found: Proposal) -> Mapping[str, int]:
    """Words that may be written down: several people have each."""
    person = found.person_key or found.nhs_number
    if person is None:
        return {}
    return shared_words(taken.sample, column, person.column)


def _codes(taken: Taken) -> Iterable[CodeGuess]:
    for each in taken.free():
        system, share = _system(each)
        if system is None:
            continue
        display = _display(taken, each)
        taken.take(each.name, *([display] if display else []))
        yield CodeGuess(
            column=each.name,
            system=system,
            display=display,
            is_sure=system == SNOMED and share > _SURE,
            because=f"{percent(share, 1)} of its cells "
            + (
                "keep SNOMED CT's check digit"
                if system == SNOMED
                else "look like ICD-10"
            ),
        )


def _system(facts: Facts) -> tuple[str | None, float]:
    if not facts.filled or facts.dates is not None or facts.numbers:
        return None, 0.0
    # One number in ten passes the check, so one value alone shows nothing.
    if facts.snomed > 0.95 and (
        facts.distinct > 1 or synonyms().strength(facts.name, "code")
    ):
        return SNOMED, facts.snomed
    # Three characters are soon alike: only a name makes such cells codes of ICD-10.
    is_named = synonyms().strength(facts.name, "diagnosis") == STRONG
    if is_named and facts.icd > 0.95 and facts.numeric < 0.05:
        return ICD_10, facts.icd
    return None, 0.0


def _display(taken: Taken, code: Facts) -> str | None:
    """The column of words beside a code: each code has one alone."""
    names = list(taken.facts)
    after = names[names.index(code.name) + 1 :][:2]
    for name in after:
        facts = taken.facts[name]
        is_free = name not in taken.columns and facts.is_text
        strength = taken.lists.strength(name, "display")
        if is_free and strength and depends(taken.sample, name, code.name) > 0.9:
            return name
    return None


def _title(taken: Taken) -> Guess | None:
    displays = [f for f in taken.facts.values() if taken.strength(f, "display")]
    few = [f for f in (*taken.free(), *displays) if _is_title(f)]
    found = taken.best("title", few)
    if found is None:
        return None
    taken.take(found.name)
    return Guess(columns=(found.name,), is_sure=False, because="by its name")


def _is_title(facts: Facts) -> bool:
    """Words that come again: what is written once may be about somebody else too."""
    if not facts.filled or not facts.is_text or facts.longest > 120:
        return False
    return facts.distinct <= max(0.5 * facts.filled, 3)


def _placeholders(taken: Taken, found: Proposal) -> Iterable[Placeholder]:
    """Identifier values that reach several people, the commonest first."""
    numbers = found.nhs_number.column if found.nhs_number else None
    key = found.person_key.column if found.person_key else None
    born = found.birth_date.column if found.birth_date else None
    pairs = ((numbers, key or born), (key, born))
    for column, person in pairs:
        if column is None or person is None:
            continue
        shared = shared_words(taken.sample, column, person, least=PEOPLE)
        told = sorted(shared.items(), key=lambda each: -each[1])
        for value, people in told[:_MANY_PLACEHOLDERS]:
            if value.casefold() not in taken.lists.absent:
                is_number = nhs_number.normalise(value) is not None
                yield Placeholder(
                    column=column, value=value, people=people, is_number=is_number
                )


def _warnings(taken: Taken) -> Iterable[str]:
    for facts in taken.facts.values():
        yield from _about(facts, taken)
    twice = {n for n in taken.sample.columns if taken.sample.columns.count(n) > 1}
    for name in sorted(twice - {""}):
        yield f"there are two columns {name!r}: rename one before it is mapped."


def _about(facts: Facts, taken: Taken) -> Iterable[str]:
    if facts.short_years:
        yield (
            f"{facts.name!r} has years of two digits, which no mapping reads: "
            "have them exported with four."
        )
    elif facts.is_text and facts.filled and _is_called_time(facts, taken):
        yield (
            f"{facts.name!r} is called a time, but its cells are of no format "
            "that is known here: see docs/mapping.md on times, or ask its owner."
        )
    if facts.dates is not None and HOUR_OFFSET in facts.dates.formats:
        yield (
            f"{facts.name!r} ends in 00, which in NHS immunisation batches is an "
            'offset of no hours: say zone = "UTC" if it is so here.'
        )
    named = taken.strength(facts, "nhs_number") == STRONG
    if named and facts.filled and facts.numbers <= 0.5 * facts.filled:
        yield (
            f"{facts.name!r} is called an NHS number, but only "
            f"{percent(facts.numbers, facts.filled)} of its cells pass Modulus 11: "
            "it is not mapped as one."
        )


def _is_called_time(facts: Facts, taken: Taken) -> bool:
    return any(taken.strength(facts, role) == STRONG for role in ("start", "end"))
