"""How long a question's id is remembered: while the question could be believed."""

import pytest

from gateway.site.verifying import Seen, Untaken, longest_s


def test_an_id_is_good_once_until_its_question_has_ended():
    seen = Seen()
    seen.take("a", until=130.0, now=100.0)
    with pytest.raises(Untaken, match="replayed"):
        seen.take("a", until=130.0, now=130.0)
    seen.take("b", until=170.0, now=140.0)


def test_a_clock_that_is_set_back_revives_no_question():
    """Seeded defect: forgetting by the clock, and believing by the clock set back."""
    seen = Seen()
    seen.take("a", until=130.0, now=100.0)
    seen.take("b", until=170.0, now=140.0)  # now the first is forgotten
    with pytest.raises(Untaken, match="clock"):
        seen.take("a", until=130.0, now=100.0)
    with pytest.raises(Untaken, match="replayed"):
        seen.take("b", until=170.0, now=140.0)


def test_what_an_earlier_process_took_is_a_replay():
    seen = Seen()
    seen.restore(["a", "b"], until=160.0)
    for each in ("a", "b"):
        with pytest.raises(Untaken, match="replayed"):
            seen.take(each, until=140.0, now=120.0)
    seen.take("c", until=140.0, now=120.0)


@pytest.mark.parametrize("leeway_s", [0.0, 5.0, 60.0])
def test_a_question_is_remembered_as_long_as_clocks_may_differ(leeway_s):
    """Seeded defect: looking back two lifetimes, whatever the leeway."""
    taken_at = 1000.0
    issued = taken_at + leeway_s  # by the clock of a gateway that is ahead
    believed_until = issued + 30 + leeway_s
    assert taken_at + longest_s(leeway_s) >= believed_until
