"""No NHS number in a URL, however it is written; other digits may stand there."""

import pytest

from gateway.api.address import refuse_identifier
from gateway.problems import RequestError
from tests.people import number

DIGITS = number(0)
PARTS = (DIGITS[:3], DIGITS[3:6], DIGITS[6:])


def refuses(path, query=b""):
    try:
        refuse_identifier(path, query)
    except RequestError as error:
        return error.code
    return None


@pytest.mark.parametrize("separator", ["", " ", "-", "+", ".", "  "])
@pytest.mark.parametrize("around", ["{}", "x{}y", "/v1/{}/", "Patient|{}"])
def test_a_number_in_a_path_is_refused(separator, around):
    assert refuses(around.format(separator.join(PARTS))) == "identifier-in-url"


@pytest.mark.parametrize("separator", ["", "%20", "+", "-", "%2D", "%2d", "%2E"])
@pytest.mark.parametrize("around", ["nhs={}", "{}", "a=1&b=x%7C{}"])
def test_a_number_in_a_query_is_refused(separator, around):
    query = around.format(separator.join(PARTS)).encode()
    assert refuses("/v1/sources", query) == "identifier-in-url"


def test_digits_written_as_escapes_are_digits():
    query = "".join(f"%{ord(digit):02x}" for digit in DIGITS).encode()
    assert refuses("/", query) == "identifier-in-url"


@pytest.mark.parametrize(
    "text",
    [
        DIGITS[:-1],
        f"1{DIGITS}",
        f"{DIGITS}1",
        "20240309140512",
        "0000000000",
        f"{DIGITS[:5]}a{DIGITS[5:]}",
        "é" * 10,
    ],
)
def test_other_text_may_stand_in_a_url(text):
    assert refuses(f"/{text}", text.encode()) is None
