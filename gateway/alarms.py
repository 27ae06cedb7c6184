"""Alarms and the process's own log: JSON lines on stderr, of allow-listed keys alone.

A key that is not listed is dropped before anything is written, so that no value of a
person can slip out by a careless call.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_ALLOWED: Final = frozenset(
    {
        *("event", "level", "timestamp", "source", "reason", "journey", "code"),
        *("count", "request_id", "error", "place"),  # of a defect: a type, a line
    }
)


def configure() -> None:
    """Send the log to stderr as JSON; libraries speak only from WARNING on.

    Called by the commands, never at import: a library's user keeps their own log.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_allowed,
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )


def only_allowed(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Drop every key that is not on the list."""
    return {key: value for key, value in event.items() if key in _ALLOWED}


def raise_alarm(code: str, *, source: str, count: int = 1) -> None:
    """Something that a person must look at; `code` says what, never about whom."""
    structlog.get_logger().error(code, source=source, count=count)
