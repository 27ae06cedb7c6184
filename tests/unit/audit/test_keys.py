"""People in the trail: keyed, by number or by any other identifier."""

import hashlib
import hmac
import stat

import pytest

from adapters import nhs_number
from adapters.contract import Identifier
from adapters.errors import ConfigurationError
from gateway.audit.keys import create_key, read_key
from tests.people import LOCAL, number
from tests.trails import KEY


def test_a_number_is_the_hmac_of_its_ten_digits():
    expected = hmac.new(KEY.key, number(0).encode(), hashlib.sha256).hexdigest()
    subject = KEY.of_number(number(0))
    assert (subject.key_id, subject.hmac) == ("k1", expected)
    assert number(0) not in repr(subject)


@pytest.mark.parametrize("system", sorted(nhs_number.SYSTEMS))
def test_a_number_is_the_same_person_under_either_address_however_written(system):
    digits = number(0)
    spaced = f"{digits[:3]} {digits[3:6]} {digits[6:]}"
    assert KEY.of(Identifier(system, spaced)) == KEY.of_number(digits)


def test_another_identifier_is_the_hmac_of_system_and_value():
    text = f"{LOCAL}|L-1".encode()
    expected = hmac.new(KEY.key, text, hashlib.sha256).hexdigest()
    assert KEY.of(Identifier(LOCAL, "L-1")).hmac == expected


def test_what_is_no_number_is_still_somebody_under_its_system():
    wrong = KEY.of(Identifier(nhs_number.SYSTEM, "123"))
    assert wrong != KEY.of_number("123")


def test_another_key_names_the_person_otherwise():
    other = read_key("k2", "11" * 32)
    assert other.of_number(number(0)).hmac != KEY.of_number(number(0)).hmac
    assert "11" * 4 not in repr(other)


def test_a_made_key_is_random_private_and_read_back(tmp_path):
    path = tmp_path / "keys" / "audit.key"
    create_key(path)
    first = path.read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key("k1", first).key == bytes.fromhex(first)
    create_key(path)
    assert path.read_text().strip() != first


@pytest.mark.parametrize("secret", ["", "zz" * 32, "00" * 31, "00" * 33])
def test_a_key_that_is_none_is_named_and_not_shown(secret):
    with pytest.raises(ConfigurationError, match=r"audit\.key: is not 32") as caught:
        read_key("k1", secret)
    assert not secret or secret not in str(caught.value)
