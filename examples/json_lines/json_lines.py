"""A kind of source of our own: a short file of JSON lines, one event a line."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from adapters.contract import Answer, Event, Identifier, Profile, Query, tally
from adapters.errors import Unavailable, Unreadable
from adapters.memory import MemoryAdapter
from adapters.moment import read_iso
from adapters.source_file import Settings, fingerprint, read
from adapters.surroundings import Surroundings
from adapters.vocabulary import KINDS, categories_of


class LinesFile(Settings):
    kind: Literal["json_lines"]
    file: Path
    systems: tuple[str, ...]  # by which people are known; the first is its own key
    kinds: frozenset[str]  # of the events it holds


class JsonLines:
    """Reads the file at every question, and lets memory answer from it."""

    def __init__(self, path: Path, settings: LinesFile, around: Surroundings) -> None:
        self._file, self._around = path.parent / settings.file, around
        self._kinds, self._key = settings.kinds.intersection(KINDS), settings.systems[0]
        self.profile = Profile(
            adapter="json_lines/1",
            mapping=fingerprint(path),
            held=categories_of(self._kinds, around.sector),
            identifier_systems=frozenset(settings.systems),
            key_system=self._key,
        )

    async def ask(self, query: Query) -> Answer:
        memory, lost = await asyncio.to_thread(self._read)
        answer = await memory.ask(query)
        return replace(answer, caveats=answer.caveats + tally(["rows_rejected"] * lost))

    async def aclose(self) -> None:
        """Nothing stays open."""

    def _read(self) -> tuple[MemoryAdapter, int]:
        try:
            data, at = self._file.read_bytes(), self._file.stat().st_mtime
        except OSError:
            raise Unavailable("connect", "the file is not there") from None
        if len(data) > 4_000_000:
            raise Unreadable("too_large", "the file is too long to be held")
        lines = list(filter(bytes.strip, data.splitlines()))
        events = [event for line in lines if (event := self._event(line))]
        sector, as_of = self._around.sector, datetime.fromtimestamp(at, UTC)
        held, key = self.profile.held, self._key
        memory = MemoryAdapter(events, sector=sector, held=held, as_of=as_of, key=key)
        return memory, len(lines) - len(events)

    def _event(self, text: bytes) -> Event | None:
        try:
            line: dict[str, Any] = json.loads(text)
            about = (Identifier(s, v) for s, v in line.pop("about").items())
            for time in {"start", "end"} & line.keys():
                found = read_iso(line[time])
                line[time] = found[0] if found else None
            start, end = line.get("start"), line.get("end")
            if start and end and end.latest <= start.at:
                line["caveats"] = ("reversed",)
            event = Event(**line, subject=frozenset(about))
        except (ValueError, TypeError, KeyError, AttributeError):
            return None  # counted: every answer tells how many could not be read
        return event if event.kind in self._kinds else None


def build(path: Path, surroundings: Surroundings) -> JsonLines:
    return JsonLines(path, read(path, LinesFile), surroundings)
