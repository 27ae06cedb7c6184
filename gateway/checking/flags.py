"""Whether anybody tells us who is restricted: without that everything is withheld."""

from typing import Final

from gateway.checking.registered import Registered
from gateway.checking.report import Finding, ok, wrong

_HEEDED: Final = ("legally-restricted", "sensitive-record")


def flags_of(registered: Registered) -> list[Finding]:
    """Of the flags every policy heeds, those that nobody tells us of."""
    unsaid = [flag for flag in _HEEDED if registered.source.flags[flag] == "none"]
    return [
        wrong(
            "flags",
            f"nobody tells us of {flag}: everything is withheld",
            where=registered.at("flags", flag),
            remedy="Have flagged records held back (prefiltered), or stated (states).",
        )
        for flag in unsaid
    ] or [ok("flags", "are stated, or held back at the source")]
