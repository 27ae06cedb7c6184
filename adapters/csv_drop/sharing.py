"""How a drop is shared out: in one go if it is small, else in halves, to two processes.

The second half begins at a line's beginning, which a quoted record may reach across;
where the first one says that it did, the second is taken in anew from where it ends.
"""

import math
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from adapters.csv_drop import portion
from adapters.csv_drop.portion import Job, Portion, Span, Stopped
from adapters.csv_drop.postings import read
from adapters.csv_drop.quarantine import Quarantine
from adapters.csv_drop.records import Writing
from adapters.csv_drop.rules import NO_RULES, Drops
from adapters.mapping import MappingSpec

_LOOK_S: Final = 0.1  # between two looks at whether to stop
_BLOCK: Final = 1 << 20
_COMMAND: Final = (sys.executable, "-P", "-m", "adapters.csv_drop")


@dataclass(slots=True)
class Taken:
    """What was taken in, and what was set aside of it, by file and line."""

    portions: list[Portion]
    quarantine: Quarantine = field(default_factory=Quarantine)


def in_process(job: Job, stop: Callable[[], bool]) -> Portion:
    """The portion, taken in by a process of its own.

    Stopped if told to stop, OSError if the process failed.
    """
    with subprocess.Popen(  # noqa: S603 - this Python, and a module of ours
        _COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it could show what a row holds
    ) as process:
        told: bytes | None = None
        sent: bytes | None = pickle.dumps(job)
        while told is None:
            try:
                told, _ = process.communicate(sent, timeout=_LOOK_S)
            except subprocess.TimeoutExpired:
                sent = None  # it goes on with what it was given
                if stop():
                    process.kill()
                    raise Stopped from None
    if process.returncode != 0:
        raise OSError("a portion of the drop could not be taken in")
    found: Portion = pickle.loads(told)  # noqa: S301 - from the process just started
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Takes in spans of the copy at `texts`, by processes if they are large."""

    texts: Path
    writing: Writing
    mapping: MappingSpec
    rules: Drops = NO_RULES
    stop: Callable[[], bool]
    shared_from: float  # bytes
    by_process: Callable[[Job, Callable[[], bool]], Portion] = in_process

    def take(self, spans: Sequence[Span]) -> Taken:
        """All the spans. Stopped if told to stop, OSError if a process failed."""
        halves = None
        if sum(span.size - span.start for span in spans) >= self.shared_from:
            halves = self._halves(spans)
        if halves is None:
            whole = portion.take(self._job(spans, 0), self.stop)
            return Taken([whole], whole.quarantine)
        parted, rest = halves
        first, second = self._both(self._job(parted, 0), self._job(rest, 1))
        taken = Taken([first], first.quarantine)
        last, ended = parted[-1], first.spans[-1]
        if last.until not in {math.inf, ended.following}:
            rest = _from(ended.following, rest)
            if not rest:
                return taken
            second = self.by_process(self._job(rest, 1), self.stop)
        taken.portions.append(second)
        taken.quarantine.take_over(
            second.quarantine, {last.file: last.line + ended.lines}
        )
        return taken

    def _job(self, spans: Sequence[Span], which: int) -> Job:
        return Job(
            texts=self.texts,
            path=self.texts.with_name(f"{self.texts.name}-{which}"),
            spans=tuple(spans),
            writing=self.writing,
            mapping=self.mapping,
            rules=self.rules,
        )

    def _halves(self, spans: Sequence[Span]) -> tuple[list[Span], list[Span]] | None:
        """Spans of about the same size; None if they cannot be parted."""
        place, left = 0, sum(span.size - span.start for span in spans) // 2
        while left >= spans[place].size - spans[place].start:
            left -= spans[place].size - spans[place].start
            place += 1
        span = spans[place]
        before, after = list(spans[:place]), list(spans[place + 1 :])
        cut = self._line_after(span, span.start + left)
        if cut is None:
            return ([*before, span], after) if after else None
        later = replace(span, start=cut, line=0)
        return [*before, replace(span, until=cut)], [later, *after]

    def _line_after(self, span: Span, start: int) -> int | None:
        """Where the first line after this byte begins; None if there is none."""
        with self.texts.open("rb", buffering=0) as texts:
            for at in range(start, span.size, _BLOCK):
                size = min(_BLOCK, span.size - at)
                found = read(texts.fileno(), size, span.place + at).find(b"\n")
                if found >= 0:
                    cut = at + found + 1
                    return cut if cut < span.size else None
        return None

    def _both(self, *jobs: Job) -> list[Portion]:
        over = threading.Event()  # one of them failed, so that the other may stop

        def taken(job: Job) -> Portion:
            try:
                return self.by_process(job, lambda: over.is_set() or self.stop())
            except BaseException:
                over.set()
                raise

        with ThreadPoolExecutor(len(jobs), thread_name_prefix="portion") as threads:
            return list(threads.map(taken, jobs))


def _from(start: int, spans: Sequence[Span]) -> list[Span]:
    """The spans, of which the first begins later than it was thought to."""
    first, *others = spans
    return [replace(first, start=start), *others] if start < first.size else others
