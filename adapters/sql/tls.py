"""Whether and how a connection to a database is encrypted."""

import ssl
from pathlib import Path
from typing import Final

# What the option `ssl` of a url may say; PostgreSQL's own words. Those that go on
# unencrypted where a server offers nothing are not among them.
MODES: Final = ("disable", "require", "verify-ca", "verify-full")


def context(mode: object, authority: Path | None) -> ssl.SSLContext | None:
    """What checks the server's certificate; None for a connection in clear.

    `require` encrypts and believes any certificate, unless an authority is named.
    Where one is, and no mode, all is verified. OSError if its file cannot be read.
    """
    if mode == "disable" or (mode is None and authority is None):
        return None
    made = ssl.create_default_context(cafile=authority)
    made.check_hostname = mode in {None, "verify-full"}
    if mode == "require" and authority is None:
        made.verify_mode = ssl.CERT_NONE
    return made
