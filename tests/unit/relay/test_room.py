"""Places for answers, of all sites and of each."""

import pytest

from gateway.relay.queue import Full
from gateway.relay.room import Room

SITE, OTHER, THIRD = "z9b02-site", "z9c03-site", "z9d04-site"


def test_one_site_cannot_fill_the_room_of_all():
    """Seeded defect: one count for all, and whoever answers slowly keeps others out."""
    room = Room(4)
    with room.of(SITE), room.of(SITE):
        with pytest.raises(Full), room.of(SITE):
            pass
        with room.of(OTHER), room.of(OTHER), pytest.raises(Full), room.of(THIRD):
            pass
    with room.of(SITE):
        pass


def test_a_place_is_given_back_whatever_ends_it():
    room = Room(1)
    with pytest.raises(TimeoutError), room.of(SITE):
        raise TimeoutError
    with room.of(OTHER):
        pass
    assert not room._taken
