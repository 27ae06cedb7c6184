"""What tells a site's keys from any others: read out at the site, typed at the gateway.

128 bits of SHA-256: to make other keys of one fingerprint is out of reach, and it can
still be read over a telephone.
"""

import hashlib
import hmac
import json
import re
from typing import Final

from adapters.site.keys import Keys

_DIGITS: Final = 32
_GROUP: Final = 4
_APART: Final = re.compile(r"[\s:-]+")


def fingerprint(site: str, keys: Keys) -> str:
    """Eight groups of four hex digits, of a site's id and all of its keys.

    Private and public documents of the same keys have the same one.
    """
    named = [
        [use, each.kid, each.algorithm, each.key.thumbprint()]
        for use, held in (("enc", keys.sealing), ("sig", keys.signing))
        for each in held.values()
    ]
    text = json.dumps(["throughline-site-keys", site, sorted(named)])
    digits = hashlib.sha256(text.encode("utf-8")).hexdigest()[:_DIGITS]
    return " ".join(
        digits[place : place + _GROUP] for place in range(0, _DIGITS, _GROUP)
    )


def is_same(typed: str, known: str) -> bool:
    """Whether this fingerprint was typed; spaces, hyphens and case are let pass."""
    return hmac.compare_digest(_plain(typed), _plain(known))


def _plain(text: str) -> bytes:
    return _APART.sub("", text).casefold().encode("utf-8", "backslashreplace")
