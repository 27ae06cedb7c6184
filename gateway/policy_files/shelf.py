"""Agreements, local rules and signatures as files: read, and each with its place."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from adapters.errors import ConfigurationError
from gateway.policy.composition import Composition, if_all_signed
from gateway.policy_files.marked import Marked, read_marked
from policies.clauses import Agreement, Document, LocalRule, Member, Signature
from policies.compile import PolicySet
from policies.documents import content_hash, parse_document
from policies.errors import Invalid

SUFFIXES: Final = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """What one document of a file is, and where it stands."""

    document: Agreement | LocalRule | Signature
    marked: Marked


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """All that some files hold, in their order."""

    filed: tuple[Filed, ...]

    @property
    def documents(self) -> tuple[tuple[Document, Marked], ...]:
        """The agreements and local rules, each with its place."""
        return tuple(
            (each.document, each.marked)
            for each in self.filed
            if not isinstance(each.document, Signature)
        )

    @property
    def signatures(self) -> tuple[tuple[Signature, Marked], ...]:
        """The signatures, each with its place."""
        return tuple(
            (each.document, each.marked)
            for each in self.filed
            if isinstance(each.document, Signature)
        )

    @property
    def composition(self) -> Composition:
        """What a set is made of, as it stands."""
        return Composition(
            members=tuple(Member(document=each) for each, _ in self.documents),
            signatures=tuple(each for each, _ in self.signatures),
        )


def files_of(path: Path) -> tuple[Path, ...]:
    """The file itself, or the YAML and JSON files of a folder, sorted.

    ConfigurationError where there is nothing: a set of nothing is a mistake.
    """
    if path.is_dir():
        held = (each for each in path.iterdir() if each.suffix in SUFFIXES)
        found = tuple(sorted(each for each in held if each.is_file()))
        if not found:
            message = "holds no .yaml, .yml or .json file. Name another folder."
            raise ConfigurationError(message, file=str(path))
        return found
    if not path.exists():
        message = "there is no such file or folder. Correct the path."
        raise ConfigurationError(message, file=str(path))
    return (path,)


def read_shelf(paths: Iterable[Path]) -> Shelf:
    """All documents of these files. ConfigurationError for the first thing wrong."""
    filed = []
    for path in unique(paths):
        for marked in read_marked(path):
            try:
                document = parse_document(marked.data, where=path.name)
            except Invalid as error:
                raise marked.wrong(error) from None
            filed.append(Filed(document=document, marked=marked))
    shelf = Shelf(filed=tuple(filed))
    for _, marked in again(shelf):
        raise ConfigurationError(
            "its id is taken by another document. Give each its own.",
            file=str(marked.path),
            key="id",
            line=marked.line_of("/id"),
        )
    return shelf


def unique(paths: Iterable[Path]) -> Sequence[Path]:
    """The same files in their order, each once, however it was named."""
    return list({path.resolve(): path for path in paths}.values())


def again(shelf: Shelf) -> Iterator[tuple[Document, Marked]]:
    """The documents whose id an earlier one has."""
    seen: set[str] = set()
    for document, marked in shelf.documents:
        if document.id in seen:
            yield document, marked
        seen.add(document.id)


def compiled(composition: Composition) -> PolicySet:
    """The set itself. ConfigurationError if it is larger than one may be."""
    try:
        return composition.compiled()
    except Invalid as error:
        raise ConfigurationError(error.message, file=error.place) from None


def as_signed(composition: Composition, now: datetime) -> Composition:
    """The same, signed by every party of every agreement that has not signed yet."""
    return if_all_signed(composition, now)


def unsigned(composition: Composition) -> dict[str, tuple[str, ...]]:
    """The parties that have yet to sign the text of each agreement, by its id."""
    signed = {(each.hash, each.organisation) for each in composition.signatures}
    found: dict[str, tuple[str, ...]] = {}
    for member in composition.members:
        document = member.document
        if not isinstance(document, Agreement):
            continue
        parties = document.parties.providers | document.parties.recipients
        held = content_hash(document)
        owed = {each for each in parties if (held, each) not in signed}
        if owed - member.carried:
            found[document.id] = tuple(sorted(owed - member.carried))
    return found
