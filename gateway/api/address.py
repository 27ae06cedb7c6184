"""Addresses are written down everywhere; no person's number may stand in one."""

import re
from typing import Final
from urllib.parse import unquote_plus

from adapters import nhs_number
from gateway.problems import RequestError

# Ten digits and no more, however they are grouped.
_TEN_DIGITS: Final = re.compile(r"(?<!\d)\d(?:[\s.+-]*\d){9}(?!\d)", re.ASCII)


def refuse_identifier(path: str, query: bytes) -> None:
    """RequestError identifier-in-url where what may be an NHS number stands in a URL.

    `path` is decoded already, as ASGI gives it; `query` is as it came.
    """
    for text in (path, unquote_plus(query.decode("latin-1"))):
        for found in _TEN_DIGITS.finditer(text):
            if nhs_number.normalise(re.sub(r"\D", "", found[0])) is not None:
                raise RequestError("identifier-in-url")
