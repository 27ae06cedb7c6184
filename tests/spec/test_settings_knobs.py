"""Every setting does something: each is turned, and a change is seen.

One table holds the knobs of the gateway's ground floors, each with what it changes
there. A second names those that others obey, whose own tests turn them. A setting
in neither fails the last test here.
"""

import asyncio
import json
import sqlite3
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from starlette.datastructures import Headers

from adapters.http import AiohttpTransport
from gateway.access.tokens import Authenticator
from gateway.api.edge import EdgeMiddleware
from gateway.audit.log import AuditUnavailable
from gateway.audit.records import Outcome
from gateway.audit.trail import open_trail
from gateway.journey.inquiry import inquire
from gateway.policy.in_force import InForce
from gateway.policy.opened import open_policy
from gateway.problems import RequestError
from gateway.relay.relay import open_relay
from gateway.settings import Settings
from gateway.store.database import Database
from tests.configuration import changed, settings
from tests.fakes import FakeAdapter, FakeClock, FakeTrail
from tests.houses import (
    RECIPIENT,
    answer,
    clause,
    doctor,
    house,
    policy_of,
    profile,
    question,
    source,
)
from tests.likenesses import (
    AT_WARD,
    OTHERS,
    TWIN,
    Asked,
    Register,
    codes,
    described,
    ids,
)
from tests.policy_store import agreement, author, office_at
from tests.tokens import claims, published, sign, signing_key
from tests.trails import intent


async def answered(read, body=b"", wait_s=0.0, path="/"):
    """The status the edge gives a body that comes after a while."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive():
        await asyncio.sleep(wait_s)
        return {"type": "http.request", "body": body, "more_body": False}

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "query_string": b"", "headers": []}
    await EdgeMiddleware(app, read)(scope, receive, send)
    return sent[0]["status"]


async def body_bytes(read):
    return await answered(read, body=b"x" * 20)


async def admin_body_bytes(read):
    return await answered(read, body=b"x" * 20, path="/v1/admin/policy/agreements")


async def body_s(read):
    return await answered(read, wait_s=0.15)


async def verdict(read, clock, **times):
    """How a token fares whose times are so many seconds from now."""
    now = int(clock.now().timestamp())
    said = claims(clock) | {name: now + times[name] for name in times}
    authenticator = Authenticator(read, clock)
    token = sign(said)
    try:
        await authenticator.authenticate(Headers({"Authorization": f"Bearer {token}"}))
    except RequestError as error:
        return error.code
    finally:
        await authenticator.aclose()
    return "accepted"


async def fares(read, **times):
    publish(read, signing_key())
    return await verdict(read, FakeClock(), **times)


def publish(read, *keys):
    read.issuers[0].jwks.write_bytes(published(*keys))


async def leeway_s(read):
    return await fares(read, exp=-20, iat=-60)


async def lifetime_s(read):
    return await fares(read, exp=3000)


async def any_token(read):
    return await fares(read)


async def later(read, passed, *, kid, key):
    """How a token fares when the issuer has since published other keys."""
    clock = FakeClock()
    publish(read, signing_key())
    authenticator = Authenticator(read, clock)
    await authenticator.authenticate(bearer(clock))
    publish(read, key)
    clock.pass_by(passed)
    try:
        await authenticator.authenticate(bearer(clock, kid))
    except RequestError as error:
        return error.code
    finally:
        await authenticator.aclose()
    return "accepted"


def bearer(clock, kid="k1"):
    token = sign(claims(clock), signing_key(kid=kid))
    return Headers({"Authorization": f"Bearer {token}"})


async def jwks_fresh_s(read):
    return await later(read, 300, kid="k1", key=signing_key(kid="k2"))


async def jwks_refetch_s(read):
    return await later(read, 20, kid="k2", key=signing_key(kid="k2"))


async def jwks_stale_s(read):
    clock = FakeClock()
    publish(read, signing_key())
    authenticator = Authenticator(read, clock)
    await authenticator.authenticate(bearer(clock))
    read.issuers[0].jwks.unlink()
    clock.pass_by(3000)
    try:
        await authenticator.authenticate(bearer(clock))
    except RequestError as error:
        return error.code
    finally:
        await authenticator.aclose()
    return "accepted"


async def records(read, *, sources=1, callers=1):
    """The records of a trail that so many callers appended to at once."""
    trail = open_trail(read, FakeClock())
    await trail.start("0.1.0")
    try:
        one = intent(sources=sources)
        await asyncio.gather(*(trail.append(one) for _ in range(callers)))
        subject = trail.subject_of("9990000018")
    finally:
        await trail.aclose()
    with sqlite3.connect(read.database_url().database) as store:
        found = store.execute("SELECT record FROM audit_record").fetchall()
    store.close()
    return subject, [json.loads(record) for (record,) in found]


async def subject(read):
    return (await records(read))[0]


async def entry_bytes(read):
    _, told = await records(read, sources=250)
    return len(told)


async def min_free(read):
    try:
        await records(read)
    except AuditUnavailable as error:
        return error.reason
    return "written"


async def batch(read):
    try:
        await records(read, callers=200)
    except AuditUnavailable as error:
        return error.reason
    return "written"


async def write_s(read):
    trail = open_trail(read, FakeClock())
    await trail.start("0.1.0")
    lock = sqlite3.connect(read.database_url().database, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(trail.append(intent()))
    await asyncio.sleep(0.5)
    lock.execute("ROLLBACK")
    lock.close()
    try:
        await waiting
    except AuditUnavailable:
        return "refused"
    finally:
        await trail.aclose()
    return "written"


async def store_file(read):
    await records(read)
    return sorted(path.name for path in read.folder.glob("*.db"))


async def documents(read):
    return [path.name for path in read.policy_files()]


async def policy_source(read):
    database = Database(read.database_url(), busy_s=1)
    trail = open_trail(read, FakeClock())
    opened = open_policy(read, database, trail, clock=FakeClock())
    await database.aclose()
    return opened.admin is None


@asynccontextmanager
async def policy_followed(read, clock):
    """A store of policy with a version that waits to be signed, and who follows it."""
    async with office_at(read.database_url()) as office:
        in_force = InForce(office.database, clock, read.policy)
        await in_force.start()
        before = in_force.current()
        await office.offered(agreement(), author("Z9A01"))
        yield in_force, before
        await in_force.aclose()


async def policy_poll_s(read):
    async with policy_followed(read, FakeClock()) as (in_force, before):
        await asyncio.sleep(0.5)
        return in_force.current() is before


async def policy_max_age_s(read):
    clock = FakeClock()
    async with policy_followed(read, clock) as (in_force, _):
        clock.pass_by(60)
        return in_force.is_ready


async def policy_shadow(read):
    async with policy_followed(read, FakeClock()) as (in_force, _):
        await in_force.follow()
        return in_force.shadow() is None


async def evidence_asked(read):
    """What became of looking for evidence at a source that never answers."""
    own = FakeAdapter(lambda _: answer(), profile=profile(("encounters",)), waits_s=30)
    wants = clause(relationships=["active-encounter"])
    trail = FakeTrail()
    asked = house(
        source(f"{RECIPIENT}.pas", own),
        policy=policy_of([RECIPIENT], wants),
        trail=trail,
    )
    with pytest.raises(RequestError):
        await inquire(
            replace(asked, evidence=read.evidence),
            doctor("none"),
            question(deadline_s=0.5),
        )
    return [each for each in trail.records if isinstance(each, Outcome)]


async def own_source_is_asked(read):
    return len(await evidence_asked(read))


async def own_source_has_long(read):
    (found,) = await evidence_asked(read)
    return found.sources[0].took_ms > 120


async def likened(read, *people):
    """What is shown and said of a ward that may hold the person under no number."""
    ward = Register(AT_WARD, people=people)
    asked = Asked(ward)
    journey = await inquire(
        replace(asked.house, linkage=read.linkage), doctor(), question()
    )
    return len(ward.matched), ids(journey), codes(journey)


async def demographics(read):
    return await likened(read, described())


async def likely(read):
    likely = described(gender=None, postcode="AB1 2CD")
    return (await likened(read_on(read), likely))[1]


async def unlikely(read):
    return (await likened(read_on(read), described(name="A Quillfield")))[2]


async def many_alike(read):
    third = described(OTHERS, name="Cora Marham")
    return (await likened(read_on(read), described(), TWIN, third))[2]


def read_on(read):
    linkage = read.linkage.model_copy(update={"demographics": "on"})
    return read.model_copy(update={"linkage": linkage})


async def password(read):
    return read.database_url().password


async def other_gateways(read):
    """Whether a relay looks for sites at other gateways."""
    database = Database(read.database_url(), busy_s=1)
    relay = open_relay(
        read,
        database,
        AiohttpTransport(),
        clock=FakeClock(),
        record=FakeTrail().append,
    )
    await database.aclose()
    return relay.replicas is not None


KNOBS = {
    "http.body_bytes": (body_bytes, "10"),
    "http.admin_body_bytes": (admin_body_bytes, "10"),
    "http.body_s": (body_s, "0.05"),
    "store.url": (store_file, "sqlite+aiosqlite:///other.db"),
    "audit.key": (subject, "env:OTHER_KEY"),
    "audit.key_id": (subject, "k2"),
    "audit.write_s": (write_s, "0.2"),
    "audit.batch": (batch, "1"),
    "audit.entry_bytes": (entry_bytes, "2048"),
    "audit.min_free": (min_free, str(2**62)),
    "auth.token_bytes": (any_token, "100"),
    "auth.leeway_s": (leeway_s, "1"),
    "auth.lifetime_s": (lifetime_s, "1000"),
    "auth.jwks_fresh_s": (jwks_fresh_s, "100"),
    "auth.jwks_stale_s": (jwks_stale_s, "1000"),
    "auth.jwks_refetch_s": (jwks_refetch_s, "5"),
    "auth.revoked_kids": (any_token, '["k1"]'),
    "policy.documents": (documents, '["none/*.yaml"]'),
    "policy.source": (policy_source, "store"),
    "policy.poll_s": (policy_poll_s, "0.05"),
    "policy.max_age_s": (policy_max_age_s, "20"),
    "policy.shadow": (policy_shadow, "submitted"),
    "evidence.relationships": (own_source_is_asked, "[]"),
    "evidence.share": (own_source_has_long, "0.05"),
    "linkage.demographics": (demographics, "on"),
    "linkage.linked": (likely, "0.95"),
    "linkage.possible": (unlikely, "0.95"),
    "linkage.candidates": (many_alike, "2"),
    "relay.address": (other_gateways, "http://127.0.0.1:8000"),
    "relay.key": (other_gateways, "env:RELAY"),
}

SHARED = {
    "THROUGHLINE_STORE__URL": "postgresql+asyncpg://me@db/x",
    "RELAY": "5a" * 32,
}
# What must be there for a turned knob to be taken.
BESIDE = {
    "audit.key": {"OTHER_KEY": "5a" * 32},
    "policy.shadow": {"THROUGHLINE_POLICY__SOURCE": "store"},
    "relay.address": {**SHARED, "THROUGHLINE_RELAY__KEY": "env:RELAY"},
    "relay.key": {**SHARED, "THROUGHLINE_RELAY__ADDRESS": "http://127.0.0.1:8000"},
}

ELSEWHERE = {
    "http.host": "the server's own",
    "http.port": "the server's own",
    "limits.connect_s": "the transport's and the adapters'",
    "limits.source_s": "the fan-out's",
    "limits.journey_s": "the fan-out's",
    "limits.page_bytes": "the adapters'",
    "limits.source_bytes": "the adapters'",
    "limits.pages": "the adapters'",
    "limits.records": "the adapters'",
    "limits.json_depth": "the adapters'",
    "limits.csv_field_bytes": "the adapters'",
    "limits.per_source": "the fan-out's",
    "admission.journeys": "the admission's",
    "admission.queue": "the admission's",
    "admission.queue_s": "the admission's",
    "access.without_relationship": "the journey's",
    "evidence.encounter_hours": "the evidence's",
    "evidence.stay_days": "the evidence's",
    "evidence.open_hours": "the evidence's",
    "evidence.referral_days": "the evidence's",
    "evidence.caseload_days": "the evidence's",
    "evidence.people_in_vain": "the evidence's",
    "relay.poll_s": "the relay's",
    "relay.polls": "the relay's",
    "relay.questions": "the relay's",
    "relay.pickup_s": "the relay's",
    "relay.answer_bytes": "the relay's",
    "relay.answer_s": "the relay's",
    "relay.answers": "the relay's",
    "store.password": "turned below, on a server's URL",
}


def variable(knob):
    return "THROUGHLINE_" + knob.upper().replace(".", "__")


@pytest.mark.parametrize("knob", KNOBS)
async def test_a_knob_that_is_turned_changes_what_happens(tmp_path, knob):
    effect, turned = KNOBS[knob]
    seen = []
    for environ in ({}, {variable(knob): turned, **BESIDE.get(knob, {})}):
        folder = tmp_path / f"turned-{len(environ)}"
        (folder / "policy").mkdir(parents=True)
        (folder / "policy" / "one.yaml").touch()
        seen.append(await effect(settings(folder, **environ)))
    assert seen[0] != seen[1]


@pytest.mark.parametrize("knob", [knob for knob in ELSEWHERE if "password" not in knob])
def test_a_knob_of_another_floor_reaches_it(tmp_path, knob):
    section, key = knob.split(".")
    turned = "0.0.0.0" if key == "host" else "3"  # noqa: S104 - not listened on
    before = getattr(getattr(settings(tmp_path), section), key)
    read = settings(tmp_path, **{variable(knob): turned})
    assert getattr(getattr(read, section), key) != before


async def test_the_password_of_a_server_is_a_knob_too(tmp_path):
    server = "postgresql+asyncpg://me@db/x"
    text = changed("sqlite+aiosqlite:///throughline.db", server)
    turned = {"THROUGHLINE_STORE__PASSWORD": "env:DB", "DB": "swordfish"}
    assert await password(settings(tmp_path, text)) is None
    assert await password(settings(tmp_path, text, **turned)) == "swordfish"


def test_every_knob_is_turned_here_or_named_with_whose_it_is():
    every = {
        f"{section}.{key}"
        for section, field in Settings.model_fields.items()
        for key in getattr(field.annotation, "model_fields", {})
    }
    assert every == set(KNOBS) | set(ELSEWHERE)
