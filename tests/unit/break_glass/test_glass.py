"""Broken glass by itself: its key, its times, and how it stands in a store."""

from datetime import UTC, datetime, timedelta

import pytest

from adapters.errors import ConfigurationError
from gateway.audit.keys import Subject
from gateway.break_glass import glass as glasses
from gateway.break_glass.glass import Glass, review_date
from gateway.break_glass.key import GlassKey, read_glass_key
from tests.configuration import TEXT, changed, settings
from tests.houses import NOW, doctor
from tests.stores import migrated
from tests.trails import ACTOR

KEY = GlassKey(key=bytes(range(32)))
OTHER = GlassKey(key=bytes(range(1, 33)))
GLASS = Glass(
    id="bgl_a",
    caller=ACTOR,
    person=Subject(key_id="k1", hmac="ab" * 32),
    purpose="direct-care",
    reason_code="urgent-care",
    declared_at=NOW,
    expires_at=NOW + timedelta(minutes=30),
    review_by=NOW + timedelta(days=3),
    reason="sealed",
)


def test_a_token_leads_to_its_glass_and_no_other_text_does():
    token = KEY.token_of("bgl_a")
    assert KEY.glass_of(token) == "bgl_a"
    assert OTHER.glass_of(token) is None
    for text in ("", "bgl_a", "bgl_a.", token + "x", token[:-1], "bgl_b" + token[5:]):
        assert KEY.glass_of(text) is None
    for text in ("é." + token[6:], "bgl_a.é"):
        assert KEY.glass_of(text) is None


def test_a_reason_is_read_with_its_own_key_and_glass_alone():
    sealed = KEY.sealed("bgl_a", "Zoë fell, 3 Zeb Road")
    assert KEY.opened("bgl_a", sealed) == "Zoë fell, 3 Zeb Road"
    assert KEY.opened("bgl_b", sealed) is None
    assert OTHER.opened("bgl_a", sealed) is None
    assert KEY.opened("bgl_a", sealed[:-4] + "AAAA") is None
    assert KEY.opened("bgl_a", "nothing sealed") is None
    assert KEY.sealed("bgl_a", "x") != KEY.sealed("bgl_a", "x")


def test_hashes_of_one_text_for_two_uses_are_two():
    assert KEY.hmac_of("reason", "x") != KEY.hmac_of("request", "x")
    assert KEY.hmac_of("reason", "x") == KEY.hmac_of("reason", "x")
    assert OTHER.hmac_of("reason", "x") != KEY.hmac_of("reason", "x")
    assert str(KEY.key) not in repr(KEY)


def test_a_configuration_has_the_key_it_names_or_none(tmp_path):
    assert read_glass_key(settings(tmp_path)) is None
    text = changed("[limits]", '[break_glass]\nkey = "env:GLASS"\n\n[limits]', TEXT)
    read = read_glass_key(settings(tmp_path, text, GLASS=bytes(range(32)).hex()))
    assert read == KEY
    for wrong in ("ab", "zz" * 32):
        with pytest.raises(ConfigurationError, match="32 bytes in hex") as caught:
            read_glass_key(settings(tmp_path, text, GLASS=wrong))
        assert wrong * 2 not in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "due"),
    [
        ("2026-03-02T09:00:00+00:00", "2026-03-06T00:00:00+00:00"),  # a Monday
        ("2026-03-05T09:00:00+00:00", "2026-03-11T00:00:00+00:00"),  # a Thursday
        ("2026-03-06T23:59:00+00:00", "2026-03-12T00:00:00+00:00"),  # a Friday
        ("2026-03-07T00:00:00+00:00", "2026-03-12T00:00:00+00:00"),  # a Saturday
        # Sunday in UTC, Monday in London; the clocks went forward in between.
        ("2026-03-29T23:30:00+00:00", "2026-04-02T23:00:00+00:00"),
    ],
)
def test_a_review_is_due_at_the_end_of_the_third_working_day(declared, due):
    found = review_date(datetime.fromisoformat(declared))
    assert found.astimezone(UTC) == datetime.fromisoformat(due)


def test_glass_is_open_until_its_last_instant_unless_put_back():
    assert GLASS.is_open_at(GLASS.expires_at - timedelta(microseconds=1))
    assert not GLASS.is_open_at(GLASS.expires_at)
    ended = Glass(**{f: getattr(GLASS, f) for f in GLASS.__slots__} | {"ended_at": NOW})
    assert not ended.is_open_at(NOW)


@pytest.mark.parametrize("name", ["issuer", "subject", "client_id", "organisation"])
def test_glass_is_of_its_caller_alone(name):
    caller = {
        each: getattr(ACTOR, each)
        for each in ("issuer", "subject", "client_id", "organisation", "role")
    }
    assert GLASS.is_of(doctor(**caller))
    assert GLASS.is_of(doctor(**caller | {"role": "nurse"}))
    assert not GLASS.is_of(doctor(**caller | {name: "another"}))


def test_a_repr_tells_nothing_of_the_person_or_the_reason():
    assert "ab" * 8 not in repr(GLASS)
    assert "sealed" not in repr(GLASS)


async def test_a_glass_stands_in_a_store_from_breaking_to_review(store_url):
    def life(store):
        glasses.keep(store, GLASS)
        assert glasses.find(store, "bgl_a") == GLASS
        assert glasses.find(store, "bgl_a", held=True) == GLASS
        assert glasses.find(store, "bgl_b") is None
        before, after = NOW - timedelta(seconds=1), NOW
        assert glasses.people_of(store, ACTOR, since=before) == 1
        assert glasses.people_of(store, ACTOR, since=after) == 0
        listed = glasses.unreviewed(store, "Z9A01", after=("", ""), most=5)
        assert listed == [GLASS]
        glasses.end(store, "bgl_a", at=NOW)
        ended = glasses.find(store, "bgl_a")
        assert ended is not None
        assert (ended.ended_at, ended.reason) == (NOW, "sealed")
        glasses.close(store, "bgl_a", finding="appropriate", reviewer="po", at=NOW)
        closed = glasses.find(store, "bgl_a")
        assert closed is not None
        assert (closed.reviewed_at, closed.reason) == (NOW, None)
        assert glasses.unreviewed(store, "Z9A01", after=("", ""), most=5) == []

    async with migrated(store_url) as database:
        await database.transact(life)
