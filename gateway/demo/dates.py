"""Chance and dates for the stories: the same seed tells the same stories."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random

from gateway.demo.chronicle import When


def chance(seed: int, *of: str | int) -> Random:
    """A stream of chance for one purpose, independent of every other's."""
    name = "/".join(str(part) for part in (seed, *of))
    return Random(name)  # noqa: S311 - a story, not a secret: it must repeat


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days and clocks before `today`, drawn by chance."""

    today: date
    chance: Random

    def day(self, least: int, most: int) -> date:
        """A day between `least` and `most` days ago."""
        return self.today - timedelta(days=self.chance.randint(least, most))

    def clock(self, day: date, first: int, last: int) -> datetime:
        """A wall clock that day, from the hour `first` to just before `last`."""
        minute = self.chance.randrange(first * 60, last * 60)
        return datetime.combine(day, time(minute // 60, minute % 60))

    def working(self, day: date) -> datetime:
        """A clock in surgery hours of that day, or of the Monday after a weekend."""
        moved = day if day.weekday() < 5 else day + timedelta(days=7 - day.weekday())
        return self.clock(moved, 8, 18)


def on(day: date) -> When:
    """Known to the day alone."""
    return When(datetime.combine(day, time()), "day")


def in_month(day: date) -> When:
    return When(datetime.combine(day.replace(day=1), time()), "month")


def in_year(day: date) -> When:
    return When(datetime.combine(day.replace(month=1, day=1), time()), "year")


def after(start: datetime, *, days: float = 0, minutes: float = 0) -> datetime:
    """A later wall clock, to the minute."""
    later = start + timedelta(days=days, minutes=minutes)
    return later.replace(second=0, microsecond=0)


def clock_change(year: int, month: int) -> date:
    """The last Sunday of a month, when British clocks change in March and October."""
    last = date(year, month, 31)
    return last - timedelta(days=(last.weekday() + 1) % 7)
