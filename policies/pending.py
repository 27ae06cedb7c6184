"""What only a source's answer can settle: flags of a person, labels of an item.

A flag is present, absent, pending (the source will state it) or unknown. Grants pass
a pending flag and vetoes that test it wait; unknown stops grants and lets every rule
that tests it hold.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

from policies.compile import PolicySet
from policies.request import FlagRegistration
from policies.vocabulary import UNLABELLED, UNRECOGNISED, stale_after

FlagState = Literal["present", "absent", "pending", "unknown"]
Stated = Mapping[str, tuple[bool, datetime]]

_UNTOLD: Final = frozenset({UNLABELLED, UNRECOGNISED})
_CLOCKS_DIFFER: Final = timedelta(days=1)

_PLANNED: Final[Mapping[FlagRegistration, FlagState]] = {
    "states": "pending",
    "prefiltered": "absent",
    "none": "unknown",
}


def planned_flags(
    policy_set: PolicySet, registered: Mapping[str, FlagRegistration]
) -> dict[str, FlagState]:
    """The state of every flag the set tests, before the source is asked."""
    return {flag: _PLANNED[registered.get(flag, "none")] for flag in policy_set.flags}


def answered_flags(
    policy_set: PolicySet,
    registered: Mapping[str, FlagRegistration],
    *,
    stated: Stated,
    now: datetime,
) -> dict[str, FlagState]:
    """The state of every flag the set tests, once the source has answered.

    A source registered otherwise than "states" cannot make a flag absent by stating
    so, but a flag it states as present counts.
    """
    states = planned_flags(policy_set, registered)
    for flag, planned in states.items():
        told = _told(flag, stated, now)
        if planned == "pending" or told == "present":
            states[flag] = told
    return states


def _told(flag: str, stated: Stated, now: datetime) -> FlagState:
    if flag not in stated:
        return "unknown"
    is_present, as_of = stated[flag]
    if not -_CLOCKS_DIFFER <= now - as_of <= stale_after(flag):
        return "unknown"
    return "present" if is_present else "absent"


def flag_mask(policy_set: PolicySet, states: Mapping[str, FlagState]) -> int:
    """The grants these flags leave standing, and the rules they let hold."""
    blocked = 0
    held = []
    for flag, state in states.items():
        if state in {"present", "unknown"}:
            blocked |= policy_set.honours.get(flag, 0)
            held.append(flag)
        if state in {"absent", "unknown"}:
            blocked |= policy_set.requires.get(flag, 0)
    return (policy_set.grants & ~blocked) | policy_set.flag_rules.of(held)


def label_mask(policy_set: PolicySet, labels: Iterable[str]) -> int:
    """The grants that clear all of these labels, and the rules they let hold."""
    cleared = policy_set.grants
    held = frozenset(labels)
    for label in held:
        cleared &= policy_set.clears.get(label, 0)
    if held & _UNTOLD:
        return cleared | policy_set.label_rules.every
    return cleared | policy_set.label_rules.of(held)
