"""What is wrong or odd about a document, and the places it can be said of."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from policies.clauses import Agreement, Clause, Document, Member, Rule, parts_of

Severity = Literal["refuse", "warn"]

_STEP: Final = re.compile(r"\[(\d+)\]|\.?([^.\[]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """One thing wrong or odd: a stable code, where, and what to do about it.

    `path` is in the document as it is kept, its parts sorted by id: "clauses[0].roles".
    """

    code: str
    severity: Severity
    document: str
    version: int
    path: str
    message: str

    @property
    def pointer(self) -> str:
        """The same path as a JSON pointer (RFC 6901)."""
        steps = (number or name for number, name in _STEP.findall(self.path))
        return "".join(f"/{step}" for step in steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A clause or rule, and where it stands."""

    member: Member
    path: str
    part: Clause | Rule

    @property
    def name(self) -> str:
        """What its lines are called, but for the provider."""
        return f"{self.member.document.id}/{self.part.id}@{self.member.version}"

    def lint(
        self, severity: Severity, code: str, message: str, *, at: str = ""
    ) -> Lint:
        """What is to be said of it, or of a key in it."""
        return Lint(
            code=code,
            severity=severity,
            document=self.member.document.id,
            version=self.member.version,
            path=f"{self.path}.{at}" if at else self.path,
            message=f"{self.part.id}: {message}",
        )


def of_document(member: Member, severity: Severity, code: str, /, **said: str) -> Lint:
    """What is to be said (`message`) of a document, or of a key in it (`path`)."""
    return Lint(
        code=code,
        severity=severity,
        document=member.document.id,
        version=member.version,
        path=said.get("path", ""),
        message=said["message"],
    )


def path_of(pointer: str) -> str:
    """A JSON pointer as a path: "/clauses/0/roles" is "clauses[0].roles"."""
    steps = pointer.split("/")[1:]
    path = "".join(f"[{each}]" if each.isdigit() else f".{each}" for each in steps)
    return path.removeprefix(".")


def as_member(given: Document | Member) -> Member:
    """A document alone is its own first version."""
    return given if isinstance(given, Member) else Member(document=given)


def places_of(members: Iterable[Member]) -> Iterator[Place]:
    """Every clause and rule of these."""
    for member in members:
        document = member.document
        name = "clauses" if isinstance(document, Agreement) else "rules"
        parts: tuple[Clause | Rule, ...] = parts_of(document)
        for index, part in enumerate(parts):
            yield Place(member=member, path=f"{name}[{index}]", part=part)
