"""What to do about a failure, by its reason, else by what the caller may do."""

from typing import Final

from adapters.errors import AdapterError, Refused, Unavailable

_BY_REASON: Final = {
    "address": "Correct the host's name, or say loopback = true if it is here.",
    "busy": "See what keeps the source busy, and ask again.",
    "connect": "See that it runs and can be reached from this machine.",
    "credentials": "Correct the name, password, token or key the file refers to.",
    "dns": "Correct the host's name in the source file.",
    "drop_missing": "Correct directory or pattern in the source file, or leave a drop.",
    "incomplete": "Wait until it is written, or have it sent again.",
    "r4": "Leave version out of the source file.",
    "redirect": "Put the address it leads to into the source file.",
    "refused": "Have this gateway let in at the source.",
    "schema": "Correct the mapping, or bring back what it names.",
    "state": "Let this user write to the source's state directory.",
    "stu3": 'Put version = "STU3" into the source file.',
    "tls": "Have the source's certificate mended, or trusted on this machine.",
    "too_large": "Raise limits.page_bytes or limits.source_bytes, or lower page_size.",
    "xml": "Have the source answer in JSON.",
}


def remedy_of(error: AdapterError) -> str:
    """The next step, for whoever looks after the source."""
    if found := _BY_REASON.get(error.reason):
        return found
    if isinstance(error, Unavailable):
        return "Ask again; if it stays so, ask the source's contact."
    if isinstance(error, Refused):
        return "Have this gateway let in at the source."
    return "Report it to the source's contact: it is not what the source file says."
