"""Audit trails in a folder, records to put in them, and their stores read back."""

import sqlite3
from pathlib import Path

from sqlalchemy.engine import URL, make_url

from gateway.audit.chain import Entry, first_broken
from gateway.audit.keys import Subject, SubjectKey
from gateway.audit.log import Log
from gateway.audit.records import Actor, Decided, Intent, Outcome, SourceOutcome
from gateway.audit.trail import Trail
from gateway.clock import Clock, SystemClock
from gateway.settings import Audit
from gateway.store.database import Database

KEY = SubjectKey(key_id="k1", key=bytes(range(32)))
ACTOR = Actor(
    issuer="urn:throughline:demo-issuer",
    subject="user-1",
    client_id="demo-app",
    organisation="Z9A01",
    role="doctor",
)


def bounds(**changes: object) -> Audit:
    right: dict[str, object] = {
        "key": "file:keys/audit.key",
        "key_id": "k1",
        "min_free": 0,
        **changes,
    }
    return Audit.model_validate(right)


def sqlite_url(folder: Path) -> URL:
    return make_url(f"sqlite+aiosqlite:///{folder / 'store.db'}")


def trail_at(url: URL, clock: Clock | None = None, **changes: object) -> Trail:
    audit = bounds(**changes)
    log = Log(Database(url, busy_s=audit.write_s), audit)
    return Trail(log, KEY, settings=audit, clock=clock or SystemClock())


def intent(journey: str = "jny_1", sources: int = 1) -> Intent:
    return Intent(
        journey=journey,
        actor=ACTOR,
        purpose="direct-care",
        policy="sha256:aa",
        subjects=(Subject(key_id="k1", hmac="ab" * 32),),
        decisions=(
            Decided(
                source="Z9A01.s0",
                organisation="Z9A01",
                categories=("encounters",),
                effect="permit",
                code="granted",
                authority="DSA-1/c1@1#Z9A01",
            ),
        ),
        sources=tuple(f"Z9A01.s{n}" for n in range(sources)),
    )


def outcome(**changes: object) -> Outcome:
    source = SourceOutcome(source="Z9A01.gp", state="ok", **changes)  # type: ignore[arg-type]  # tests put wrong things in on purpose
    return Outcome(
        journey="jny_1", result="released", level="partial", sources=(source,)
    )


Row = tuple[int, str, bytes]


def rows_of(folder: Path) -> list[Row]:
    with _reading(folder) as store:
        found = store.execute("SELECT n, record, chain FROM audit_record ORDER BY n")
        rows: list[Row] = found.fetchall()
    store.close()
    return rows


def head_of(folder: Path) -> Entry:
    with _reading(folder) as store:
        n, chain = store.execute("SELECT n, chain FROM audit_head").fetchone()
    store.close()
    return Entry(n=n, chain=chain)


def is_whole(folder: Path) -> bool:
    return first_broken(rows_of(folder), head_of(folder)) is None


def _reading(place: Path) -> sqlite3.Connection:
    """A store: a file, or store.db of a folder."""
    return sqlite3.connect(place / "store.db" if place.is_dir() else place)
