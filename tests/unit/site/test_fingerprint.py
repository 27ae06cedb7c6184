"""A fingerprint is of one site's keys, all of them, and of no other's."""

import json

from adapters.site.fingerprint import fingerprint, is_same
from adapters.site.keys import made_keys, own_keys, pinned_keys

SITE = "z9b02-site"


def test_both_documents_of_the_same_keys_have_one_fingerprint():
    private, public = made_keys()
    told = fingerprint(SITE, own_keys(private))
    assert told == fingerprint(SITE, pinned_keys(public))
    assert [len(group) for group in told.split(" ")] == [4] * 8
    assert set(told) <= set("0123456789abcdef ")


def test_another_site_another_key_or_another_name_has_another():
    _, public = made_keys()
    known = fingerprint(SITE, pinned_keys(public))
    others = [json.loads(public), json.loads(made_keys()[1])]
    others[0]["keys"][0]["kid"] = "another"
    told = [fingerprint(SITE, pinned_keys(json.dumps(each))) for each in others]
    assert len({known, fingerprint("z9b02-sitf", pinned_keys(public)), *told}) == 4


def test_the_order_of_the_keys_makes_no_difference():
    _, public = made_keys()
    turned = {"keys": json.loads(public)["keys"][::-1]}
    assert fingerprint(SITE, pinned_keys(json.dumps(turned))) == fingerprint(
        SITE, pinned_keys(public)
    )


def test_one_digit_makes_it_another_and_spacing_does_not():
    known = "0123 4567 89ab cdef 0123 4567 89ab cdef"
    assert is_same("01234567-89AB-CDEF:0123456789abcdef\n", known)
    for place, digit in enumerate(known):
        if digit != " ":
            typed = known[:place] + ("0" if digit != "0" else "1") + known[place + 1 :]
            assert not is_same(typed, known)
    for typed in ("", known[:-1], known + "0", "\u0660" + known[1:], "\ud800"):
        assert not is_same(typed, known)
