"""The name a message's file gets: a plain one, which the source reads."""

import re
from typing import Final

from adapters.arrivals.settings import Inbox

_STRANGE: Final = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST: Final = 100


def is_plain(name: str) -> bool:
    """Whether a name is a file's in the directory itself, and no hidden one."""
    return (
        0 < len(name.encode("utf-8", "surrogateescape")) <= 255
        and not name.startswith(".")
        and name.isprintable()
        and not any(each in name for each in "/\\")
    )


def cleaned(given: str | None) -> str:
    """What is left of a sender's name for a file: no path, nothing strange."""
    last = re.split(r"[/\\]", given or "")[-1]
    return _STRANGE.sub("_", last)[-_LONGEST:].lstrip("._-")


def name_of(given: str | None, message: str, settings: Inbox, *, unique: bool) -> str:
    """A name for the file of a message, which fits what the source reads.

    With `unique` the message's own id stands in it, so that no other message ever
    gets the same, unless the source reads a file of one name only. Empty if no name
    would fit.
    """
    sent = cleaned(given)
    stem, dot, suffix = sent.rpartition(".")
    if not dot:
        stem, suffix = sent, ""
    if stem == message or not stem:
        whole = message
    else:
        whole = f"{stem}.{message}" if unique else stem
    tried = [f"{whole}.{suffix}" if suffix else whole]
    tried += [p.replace("*", whole) for p in settings.take if p.count("*") == 1]
    tried += [p for p in settings.take if not set(p) & set("*?[")]
    return next((n for n in tried if is_plain(n) and settings.takes(n)), "")
