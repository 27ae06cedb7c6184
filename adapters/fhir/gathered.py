"""What the searches of one question brought, and what they did not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from adapters.contract import Event, Query
from adapters.errors import AdapterError, Unavailable
from adapters.fhir.found import Found
from adapters.fhir.search import NotSearchable
from adapters.fhir.window import may_reach

_GRAVE: Final = ("fatal", "error")


@dataclass(slots=True, kw_only=True)
class Gathered:
    """Filled by the searches as they end, in whichever order that is."""

    found: list[Found] = field(default_factory=list)
    caveats: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    failures: list[AdapterError | None] = field(default_factory=list)

    def add(self, found: Found) -> Found:
        """Take in a search before it begins, so that what it brings is never lost."""
        self.found.append(found)
        return found

    def drop(self, name: str) -> None:
        """Forget what a type brought: it is to be asked in another way."""
        self.found = [found for found in self.found if found.question.name != name]

    def stop(self, name: str) -> None:
        """Time is short: a type keeps the pages that came, and is cut short."""
        if any(found.pages for found in self.found if found.question.name == name):
            self.caveats.append("truncated")
        else:
            self.fail(name, None)

    def fail(self, name: str, error: AdapterError | None) -> None:
        """A type that brought nothing: refused by the server, or failed or late."""
        if isinstance(error, NotSearchable) and error.reason == "not_found_type":
            self.refused.add(name)
            self.caveats.append("not_found_type")
            return
        self.failures.append(error)
        self.caveats.append("type_failed")

    def doubt(self, unlisted: Iterable[str]) -> None:
        """Types the server says it does not search, and of which indeed none came.

        Some servers answer "none" to whatever they do not know: that is not held
        there, rather than not there.
        """
        for name in unlisted:
            pages = [
                page
                for found in self.found
                if found.question.name == name
                for page in found.pages
            ]
            if pages and not any(page.matches for page in pages):
                self.refused.add(name)
                self.caveats.append("not_found_type")

    @property
    def has_records(self) -> bool:
        return any(f.pages for f in self.found if f.question.name != "Patient")

    def raise_if_nothing_came(self, plans: int) -> None:
        """If every type failed, that is a failure of the source and no answer."""
        failed = [error for error in self.failures if error is not None]
        if not failed or self.has_records or len(self.failures) < plans:
            return
        # What may be retried first: the source may be whole in a moment.
        failed.sort(key=lambda error: not isinstance(error, Unavailable))
        raise failed[0]

    def events(self) -> Iterator[Event]:
        """Each record once, by its id and version, however many pages held it."""
        seen: dict[tuple[str, str | None], tuple[Event, Found]] = {}
        # Looked up, not compared one by one: a source may give all the same id.
        further: dict[Event, Found] = {}
        for found, event in self._each():
            first, by = seen.setdefault(
                (event.record_id, event.version), (event, found)
            )
            if first is event:
                yield event
                continue
            twin = by if first == event else further.get(event)
            if twin is None:
                further[event] = found
                yield event
            elif twin is found:  # two ways of asking may well find the same record
                self.caveats.append("duplicate_record")

    def _each(self) -> Iterator[tuple[Found, Event]]:
        for found in self.found:
            for page in found.pages:
                for event in page.events:
                    yield found, event

    def unheeded(self, query: Query) -> int:
        """How many records came that a date filter should have kept away."""
        return sum(
            not may_reach(event, query)
            for found, event in self._each()
            if found.question.is_dated
        )

    def said(self) -> Iterator[str]:
        """The caveats of every page and search."""
        for found in self.found:
            yield from found.caveats if found.pages else ()
            for page in found.pages:
                yield from page.caveats
                yield from ["duplicate_record"] * page.duplicates
                yield from ["unmapped"] * page.unmapped.total()
                unresolved = page.rejected["unresolvable_subject"]
                yield from ["unresolved_reference"] * unresolved
                yield from ["unreadable_record"] * (page.rejected.total() - unresolved)
                yield from ["outcome_reported"] * sum(page.outcomes[g] for g in _GRAVE)
