"""The release phase: sealed answers, and the one function that opens them.

An answer is sealed on arrival. Nothing can be learned from it, not even whether it is
empty, until `release` has weighed each item's labels and the person's flags.
"""

from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, Generic, NoReturn, Protocol, TypeVar, cast

from policies import vocabulary
from policies.decide import Decision, Saved, or_instead
from policies.lines import LONDON, start_of
from policies.obligations import View
from policies.pending import Stated, answered_flags, flag_mask, label_mask


class Item(Protocol):
    """What release must know of one thing a source returned.

    `labels` are as the source gave them. `earliest` is the earliest instant the item
    can be about, aware; None if it has no date.
    """

    @property
    def category(self) -> str: ...
    @property
    def labels(self) -> frozenset[str]: ...
    @property
    def earliest(self) -> datetime | None: ...


ItemT = TypeVar("ItemT", bound=Item)


class SealBroken(TypeError, AttributeError):
    """Somebody tried to look into a sealed answer. Pass it to `release`."""


class Sealed(Generic[ItemT]):
    """An answer nobody may look into: only `release` opens it.

    `flags` are what the source states of the person: present or not, and as of when.
    """

    __slots__ = ("__weakref__", "_content")

    def __init__(self, items: Iterable[ItemT], flags: Stated) -> None:
        _CONTENT.__set__(self, (tuple(items), MappingProxyType(dict(flags))))

    def __repr__(self) -> str:
        return "<Sealed>"

    def _refuse(self, *_: object) -> NoReturn:
        raise SealBroken("A sealed answer is opened by policies.release alone.")

    __bool__ = __len__ = __iter__ = __contains__ = __getitem__ = _refuse
    __reduce_ex__ = __reduce__ = __copy__ = __deepcopy__ = __eq__ = __ne__ = _refuse

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - refuses all but one
        # What it is may be asked, so that isinstance and match answer.
        return type(self) if name == "__class__" else Sealed._refuse(self)


_CONTENT: Final = cast("Any", Sealed.__dict__["_content"])
# The slot goes, its descriptor stays here: no attribute leads to what is inside.
type.__delattr__(Sealed, "_content")


_TOKEN: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Released(Generic[ItemT]):
    """What may be shown, each item with its view. Only `release` makes one.

    `unconfirmed`: some were withheld as nobody confirmed that a row filter lets the
    person through. `silent`: say that the source knows nobody; nothing here tells
    otherwise. `failed`: deciding went wrong, so all was withheld; raise the alarm.
    """

    items: tuple[tuple[ItemT, View], ...] = field(repr=False)
    withheld: int
    withheld_categories: frozenset[str]
    unconfirmed: bool
    silent: bool
    failed: bool
    token: InitVar[object]

    def __post_init__(self, token: object) -> None:
        if token is not _TOKEN:
            raise SealBroken("Only policies.release makes what is released.")


def release(
    sealed: Sealed[ItemT], decisions: Mapping[str, Decision], now: datetime
) -> Released[ItemT]:
    """What the decisions, by category, let through of a sealed answer.

    `now` is the request's own, aware. Items of a category without a permit are
    withheld and counted, as are undated or too old ones under a greatest age, and all
    under a row filter whose flag is not known to be absent. What a silent veto
    removes is not counted. Never raises: an error withholds all.
    """
    items, stated = cast("tuple[tuple[ItemT, ...], Stated]", _CONTENT.__get__(sealed))
    return or_instead(
        lambda: _Opening(decisions, stated, now).released(items),
        lambda: _nothing(items),
    )


def oldest_day(now: datetime, max_age_days: int) -> date:
    """The first London day that is not older than so many days."""
    today = now.astimezone(LONDON).date()
    # A bound reaching before the calendar is no bound.
    return today - timedelta(days=min(max_age_days, today.toordinal() - 1))


class _Opening:
    """One release: what is weighed for one category and set of labels is kept."""

    def __init__(
        self, decisions: Mapping[str, Decision], stated: Stated, now: datetime
    ) -> None:
        self._openings = {
            category: _Weighing(decision.saved, stated, now)
            for category, decision in decisions.items()
            if decision.effect == "permit" and decision.saved is not None
        }
        for category, decision in decisions.items():
            if category != decision.category:
                raise ValueError("A decision stands under another category's name.")

    def released(self, items: tuple[ItemT, ...]) -> Released[ItemT]:
        shown: list[tuple[ItemT, View]] = []
        withheld: list[str] = []
        unconfirmed = False
        for item in items:
            weighing = self._openings.get(item.category)
            verdict = _WITHHELD if weighing is None else weighing.of(item.labels)
            if verdict.view is not None and verdict.admits(item.earliest):
                shown.append((item, verdict.view))
            elif not verdict.is_silent:
                withheld.append(item.category)
                unconfirmed = unconfirmed or verdict.is_unconfirmed
        silent = not shown and any(
            each.is_silenced() for each in self._openings.values()
        )
        return Released(
            items=tuple(shown),
            withheld=0 if silent else len(withheld),
            withheld_categories=frozenset(() if silent else withheld),
            unconfirmed=unconfirmed and not silent,
            silent=silent,
            failed=False,
            token=_TOKEN,
        )


@dataclass(frozen=True, slots=True)
class _Verdict:
    view: View | None  # None: not shown
    is_silent: bool = False  # not shown, and not to be counted either
    is_unconfirmed: bool = False  # not shown, for want of a flag known to be absent
    oldest: datetime | None = None  # the earliest instant still shown; None: any

    def admits(self, earliest: datetime | None) -> bool:
        """Whether an item this early is recent enough; without a date, it is not."""
        return self.oldest is None or (earliest is not None and earliest >= self.oldest)


_WITHHELD: Final = _Verdict(view=None)


class _Weighing:
    """A permitted cell once its flags are known; labels come with each item."""

    def __init__(self, saved: Saved, stated: Stated, now: datetime) -> None:
        self._plan = saved.plan
        self._now = now
        policy_set, cell = saved.plan.policy_set, saved.cell
        self._flags = answered_flags(policy_set, cell.flags, stated=stated, now=now)
        self._mask = saved.mask & flag_mask(policy_set, self._flags)
        self._always = (
            frozenset() if cell.labels == "labelled" else {vocabulary.UNLABELLED}
        )
        self._verdicts: dict[frozenset[str], _Verdict] = {}

    def of(self, raw: frozenset[str]) -> _Verdict:
        """The verdict on items with these labels, as the source gave them."""
        found = self._verdicts.get(raw)
        if found is None:
            found = self._verdicts[raw] = self._weigh(raw)
        return found

    def is_silenced(self) -> bool:
        """Whether a silent veto holds for this person, whatever was returned."""
        return self.of(frozenset()).is_silent

    def _weigh(self, raw: frozenset[str]) -> _Verdict:
        labels = {label for each in raw if (label := vocabulary.label_of(each))}
        policy_set = self._plan.policy_set
        held = self._mask & label_mask(policy_set, labels | self._always)
        found = self._plan.weigh(held)
        if found is None:
            return _Verdict(view=None, is_silent=bool(held & policy_set.silent))
        # Of one person, "leave out whoever has the flag" is all or nothing.
        filtered = {self._flags[flag] for flag in found.view.row_filters}
        if not filtered <= {"absent"}:
            return _Verdict(view=None, is_unconfirmed="present" not in filtered)
        days = found.view.max_age_days
        oldest = None if days is None else start_of(oldest_day(self._now, days))
        return _Verdict(view=found.view, oldest=oldest)


def _nothing(items: tuple[ItemT, ...]) -> Released[ItemT]:
    # Which categories stood there is not told: reading them may be what failed.
    return Released(
        items=(),
        withheld=len(items),
        withheld_categories=frozenset(),
        unconfirmed=False,
        silent=False,
        failed=True,
        token=_TOKEN,
    )
