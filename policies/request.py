"""What is decided about: a request, and a cell (one owner's data of one category)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

FlagRegistration = Literal["states", "prefiltered", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who asks, what for, on which evidence. `now` is aware, read once an answer.

    An attribute that is None, empty or outside the vocabulary is unknown, and so is
    a broken glass with a purpose other than individual care: unknown matches no
    grant and every rule. A relationship whose evidence lapsed is given as
    "stale:referral": it grants nothing, and the refusal says so.
    """

    operation: str
    mode: str
    purpose: str
    agreement: str | None
    recipient: str
    role: str
    assurance: str | None
    relationships: frozenset[str]
    break_glass: bool
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One owner's data of one category, at one source.

    `flags` is how the source registers each flag; an absent one counts as "none",
    which leaves it unknown.
    """

    owner: str
    category: str
    labels: Literal["labelled", "unlabelled"]
    flags: Mapping[str, FlagRegistration] = field(default_factory=dict)
