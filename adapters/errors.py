"""What can go wrong when a source is asked, grouped by what the caller should do.

    AdapterError
    ├── Unavailable   retry within the deadline: connect, dns, cut, tls, busy
    ├── Refused       never again, shown: credentials, refused, redirect
    │   └── Vetoed    the organisation's own rules, at its site, say no
    └── Unreadable    a defect to report: unreadable, too_large, incomplete

    ConfigurationError   the source's own file is wrong; the start stops

No message carries a value from a record, nor an upstream's text.
"""

from typing import Literal

FaultDomain = Literal["gateway", "adapter", "source", "policy"]


class AdapterError(Exception):
    """A source could not be asked; `reason` is a stable code, never prose."""

    def __init__(
        self, reason: str, message: str, *, domain: FaultDomain = "source"
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.domain = domain
        self.retry_after_s: int | None = None


class Unavailable(AdapterError):
    """Not now: worth asking again within the deadline."""

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        domain: FaultDomain = "source",
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(reason, message, domain=domain)
        self.retry_after_s = retry_after_s


class Refused(AdapterError):
    """The source will not answer us; asking again changes nothing."""


class Vetoed(Refused):
    """The organisation's own rules, at its site, let nothing of it be known."""

    def __init__(self) -> None:
        message = "the organisation's own rules refuse this. Ask its administrator."
        super().__init__("site", message, domain="policy")


class Unreadable(AdapterError):
    """The source answered with something that is not an answer."""


class ConfigurationError(Exception):
    """A source's configuration is wrong: file, line, key, and the remedy.

    Raised while building an adapter, so that a wrong file stops the start.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str,
        key: str | None = None,
        line: int | None = None,
    ) -> None:
        self.file, self.key, self.line = file, key, line
        place = file if line is None else f"{file}, line {line}"
        super().__init__(f"{place}: {f'{key}: ' if key else ''}{message}")
