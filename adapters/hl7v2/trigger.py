"""Trigger events by what they do to what is known. Source: HL7 v2.8, 3.3 and 10.4."""

from collections.abc import Mapping
from typing import Final

# What a cancellation takes back: each the last of these that was not taken back yet.
CANCELS: Final[Mapping[str, frozenset[str]]] = {
    "A11": frozenset({"A01", "A04"}),  # admit or visit
    "A12": frozenset({"A02"}),  # transfer
    "A13": frozenset({"A03"}),  # discharge
    "A25": frozenset({"A16"}),  # pending discharge
    "A26": frozenset({"A15"}),  # pending transfer
    "A27": frozenset({"A14"}),  # pending admit
    "A32": frozenset({"A10"}),  # arriving
    "A33": frozenset({"A09"}),  # departing
    "A38": frozenset({"A05"}),  # pre-admit
    "A52": frozenset({"A21"}),  # leave of absence
    "A53": frozenset({"A22"}),  # return from it
    "A55": frozenset({"A54"}),  # change of attending doctor
}
# Cancellations after which there is nothing left but what was cancelled.
OF_THE_WHOLE: Final = frozenset({"A11", "A27", "A38"})

BEGINS: Final = frozenset({"A01", "A04"})
PLANS: Final = frozenset({"A05", "A14"})
TRANSFERS: Final = frozenset({"A02", "A17"})
ENDS: Final = frozenset({"A03"})
CHANGES_CLASS: Final = frozenset({"A06", "A07"})
LEAVES: Final = frozenset({"A21"})
RETURNS: Final = frozenset({"A22"})
DELETES_VISIT: Final = frozenset({"A23"})
DELETES_PERSON: Final = frozenset({"A29"})

# What only happens to somebody who is there.
PRESENT: Final = TRANSFERS | {
    *("A09", "A10", "A12", "A13", "A15", "A16", "A25", "A26", "A32", "A33"),
    *("A54", "A55"),
}

# Who was known as MRG-1 is, or is filed as, whom PID-3 names.
MERGES: Final = frozenset({"A18", "A30", "A34", "A36", "A39", "A40", "A43"})
# The same person's number was changed from MRG-1 to PID-3.
RENUMBERS: Final = frozenset({"A46", "A47"})
LINKS: Final = frozenset({"A24"})
UNLINKS: Final = frozenset({"A37"})
# The visit MRG-5, or those of the account MRG-3, go from MRG-1 to whom PID-3 names.
MOVES: Final = frozenset({"A44", "A45"})
# The visit MRG-5 is now the visit PV1-19.
RENAMES_VISIT: Final = frozenset({"A42", "A50"})
# The account MRG-3 is now the account PID-18: no visit is another's for it.
ACCOUNTS: Final = frozenset({"A35", "A41", "A49", "A48", "A51"})

# Of people rather than of a visit.
OF_PEOPLE: Final = (
    MERGES
    | RENUMBERS
    | LINKS
    | UNLINKS
    | ACCOUNTS
    | {
        *("A28", "A29", "A31"),
    }
)
RELATES: Final = MERGES | RENUMBERS | LINKS | UNLINKS | MOVES
# About nobody: the state of a bed, a slot of a clinic opened or closed.
OF_NOBODY: Final = frozenset({"A20", "S23", "S24"})
