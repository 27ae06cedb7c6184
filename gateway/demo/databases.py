"""The community's and the mental health service's records as SQLite databases."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

from gateway.demo.chronicle import Entry, When

_PEOPLE: Final = """
create table people (
  person_id text primary key, family_name text, given_name text, born text,
  gender text, postcode text
);
"""
_COMMUNITY: Final = """
create table contacts (
  contact_id text primary key, person_id text not null references people,
  nhs_number text, hospital_number text, contact_type text not null,
  started text, ended text, state text, snomed text, description text, mode text
);
create index contacts_person on contacts (person_id);
create index contacts_nhs on contacts (nhs_number);
create index contacts_hospital on contacts (hospital_number);
create view activity as
  select contacts.*, family_name, given_name, born, gender, postcode
  from contacts join people using (person_id){wait};
"""
_MENTAL_HEALTH: Final = """
create table referrals (
  referral_id text primary key, person_id text not null references people,
  nhs_number text, received text, team text, state text
);
create table contacts (
  contact_id text primary key, person_id text not null references people,
  nhs_number text, day text, from_clock text, until_day text, to_clock text,
  team text, state text, mode text
);
create index referrals_person on referrals (person_id);
create index referrals_nhs on referrals (nhs_number);
create index contacts_person on contacts (person_id);
create index contacts_nhs on contacts (nhs_number);
create view activity as
  select told.*, family_name, given_name, born, gender, postcode from (
    select referral_id as record_id, person_id, nhs_number, 'referral' as activity,
      received as day, null as from_clock, null as until_day, null as to_clock,
      team, state, null as mode
    from referrals
    union all
    select contact_id, person_id, nhs_number, 'contact', day, from_clock, until_day,
      to_clock, team, state, mode
    from contacts
  ) as told join people using (person_id){wait};
"""
# Counts for longer than any journey may take, once for each question.
_SLOWLY: Final = """
  where (with recursive counted (n) as
    (select 1 union all select n + 1 from counted where n < 200000000)
    select count(*) from counted) > 0"""

_CONTACT_TYPES: Final = {"community_contact": "V", "urgent_community_response": "U2"}
_STATES: Final = {"did-not-attend": "DNA", "active": "Open"}


def write_community(
    path: Path, entries: Iterable[Entry], *, slow: bool = False
) -> None:
    rows = list(entries)
    with closing(_opened(path, _PEOPLE + _filled(_COMMUNITY, slow=slow))) as database:
        _write_people(database, rows)
        database.executemany(
            "insert into contacts values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_contact(entry) for entry in rows],
        )
        database.commit()


def write_mental_health(
    path: Path, entries: Iterable[Entry], *, slow: bool = False
) -> None:
    rows = list(entries)
    script = _PEOPLE + _filled(_MENTAL_HEALTH, slow=slow)
    with closing(_opened(path, script)) as database:
        _write_people(database, rows)
        database.executemany(
            "insert into referrals values (?, ?, ?, ?, ?, ?)",
            [_referral(e) for e in rows if e.record.kind == "mental_health_referral"],
        )
        database.executemany(
            "insert into contacts values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [_session(e) for e in rows if e.record.kind == "mental_health_contact"],
        )
        database.commit()


def _opened(path: Path, script: str) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    database = sqlite3.connect(path)
    database.executescript(script)
    return database


def _filled(script: str, *, slow: bool) -> str:
    return script.replace("{wait}", _SLOWLY if slow else "")


def _write_people(database: sqlite3.Connection, rows: Iterable[Entry]) -> None:
    people = {
        entry.local_id: (
            entry.local_id,
            entry.resident.family,
            entry.resident.given,
            entry.resident.birth_date.isoformat(),
            entry.resident.gender,
            entry.resident.postcode,
        )
        for entry in rows
    }
    database.executemany(
        "insert into people values (?, ?, ?, ?, ?, ?)", people.values()
    )


def _contact(entry: Entry) -> tuple[str | None, ...]:
    record = entry.record
    return (
        entry.record_id,
        entry.local_id,
        entry.nhs_number,
        entry.hospital_number,
        _CONTACT_TYPES[record.kind],
        _iso(record.start),
        _iso(record.end),
        _STATES.get(record.status, "Done"),
        record.code.code if record.code else None,
        record.title,
        next((fact.value for fact in record.facts), None),
    )


def _referral(entry: Entry) -> tuple[str | None, ...]:
    record = entry.record
    return (
        entry.record_id,
        entry.local_id,
        entry.nhs_number,
        _day(record.start),
        record.title,
        _STATES.get(record.status, "Done"),
    )


def _session(entry: Entry) -> tuple[str | None, ...]:
    record = entry.record
    return (
        entry.record_id,
        entry.local_id,
        entry.nhs_number,
        _day(record.start),
        _hours(record.start),
        _day(record.end),
        _hours(record.end),
        record.title,
        _STATES.get(record.status, "Done"),
        next((fact.value for fact in record.facts), None),
    )


def _iso(when: When | None) -> str | None:
    return None if when is None else when.at.strftime("%Y-%m-%d %H:%M")


def _day(when: When | None) -> str | None:
    return None if when is None else when.at.strftime("%Y%m%d")


def _hours(when: When | None) -> str | None:
    return None if when is None else when.at.strftime("%H%M")
