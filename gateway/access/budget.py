"""How many people one caller has asked about in an hour: each once, however often.

Kept in this process alone and forgotten with it: a bound on walking through numbers,
not a record. The audit trail is the record.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from gateway.access.requester import Requester
from gateway.audit.keys import Subject

_HOUR: Final = timedelta(hours=1)
_MOST_CALLERS: Final = 10_000


class PeopleBudget:
    """So many people an hour for each caller; the longest silent callers go first."""

    def __init__(self, people: int) -> None:
        self._people = people
        self._spent: OrderedDict[tuple[str, str], dict[Subject, datetime]]
        self._spent = OrderedDict()

    def spend(
        self, requester: Requester, person: Subject, *, now: datetime
    ) -> int | None:
        """None if the caller may ask about this person; else seconds until then."""
        caller = (requester.issuer, requester.subject)
        earlier = self._spent.pop(caller, {})
        spent = {who: at for who, at in earlier.items() if now - at < _HOUR}
        self._spent[caller] = spent
        if person in spent:
            return None
        if len(spent) >= self._people:
            return int((min(spent.values()) + _HOUR - now).total_seconds()) + 1
        spent[person] = now
        if len(self._spent) > _MOST_CALLERS:
            self._spent.popitem(last=False)
        return None

    def forgive(self, requester: Requester, person: Subject) -> None:
        """As it turns out, a person counts no more, if they did."""
        self._spent.get((requester.issuer, requester.subject), {}).pop(person, None)
