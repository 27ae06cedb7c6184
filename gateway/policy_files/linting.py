"""What is wrong or odd about documents kept as files, each with its file and line.

What the gate says of a draft is said here of every document, were all of them signed;
and what only files can have wrong: a text that cannot be read, a signature of none.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from adapters.errors import ConfigurationError
from gateway.policy.oracle import Opinion, consult
from gateway.policy_files.marked import Marked, read_marked
from gateway.policy_files.shelf import Filed, Shelf, again, as_signed, unique, unsigned
from policies.analysis.findings import Lint, Severity, places_of
from policies.analysis.gate import unreadable
from policies.analysis.lawfulness import Circumstances, unlawful
from policies.analysis.lints import lints
from policies.clauses import Document, Signature, parts_of
from policies.compile import PolicySet
from policies.documents import content_hash, parse_document
from policies.errors import Invalid
from policies.exports.probes import probes

_PROBES: Final = 60  # as many as the gate asks, some hundred calls of Cedar
_NOT_RUN: Final = "not run. Install the extra verify to have a second opinion."

Oracle = Callable[[PolicySet, Circumstances], Opinion]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing wrong or odd; `path` is in the file as it is written."""

    code: str
    severity: Severity
    message: str
    file: str | None = None  # None: of all the files together
    line: int | None = None
    document: str | None = None
    path: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The finding as `--json` prints it."""
        return {
            "code": self.code,
            "severity": self.severity,
            "file": self.file,
            "line": self.line,
            "document": self.document,
            "path": self.path,
            "message": self.message,
        }

    @property
    def sentence(self) -> str:
        """The finding in one line, its place first."""
        places = (self.file or "the set", f"line {self.line}" if self.line else None)
        place = ", ".join(each for each in places if each)
        what = f" ({self.path})" if self.path else ""
        return f"{place}: {self.severity}: {self.code}{what}: {self.message}"


def second_opinion(policy_set: PolicySet, circumstances: Circumstances) -> Opinion:
    """Cedar's, on questions that touch every line."""
    asked = probes(policy_set, circumstances.now, most=_PROBES)
    return consult(policy_set, asked)


def no_opinion(_set: PolicySet, _circumstances: Circumstances) -> Opinion:
    """What is said where nobody wants a second opinion."""
    return Opinion(outcome="agrees")


def linted(
    paths: Iterable[Path],
    circumstances: Circumstances,
    *,
    oracle: Oracle = second_opinion,
) -> tuple[Finding, ...]:
    """All there is to say about the documents of these files, refusals first.

    Never raises for what a file holds. Takes seconds, if the oracle is asked.
    """
    filed: list[Filed] = []
    found: list[Finding] = []
    for path in unique(paths):
        for each in _read(path):
            if isinstance(each, Filed):
                filed.append(each)
            else:
                found.append(each)
    shelf = Shelf(filed=tuple(filed))
    twice = [_twice(document, marked) for document, marked in again(shelf)]
    found += twice
    found += _unmatched(shelf)
    if not twice:
        found += _of_the_set(shelf, circumstances, oracle)
    if not shelf.documents and all(each.severity == "warn" for each in found):
        message = "holds no agreement and no local rule. Name files that do."
        found.append(Finding(code="schema", severity="refuse", message=message))
    return tuple(sorted(found, key=_order))


def _order(finding: Finding) -> tuple[bool, str, int]:
    return finding.severity != "refuse", finding.file or "", finding.line or 0


def _read(path: Path) -> Iterator[Filed | Finding]:
    try:
        documents = read_marked(path)
    except ConfigurationError as error:
        place = error.file if error.line is None else f"{error.file}, line {error.line}"
        yield Finding(
            code="schema",
            severity="refuse",
            file=str(path),
            line=error.line,
            message=str(error).removeprefix(f"{place}: "),
        )
        return
    for marked in documents:
        try:
            document = parse_document(marked.data, where=path.name)
        except Invalid as error:
            yield _unread(marked, error)
        else:
            yield Filed(document=document, marked=marked)


def _unread(marked: Marked, error: Invalid) -> Finding:
    wrong = marked.wrong(error)
    lint = unreadable(error, document="")
    return Finding(
        code=lint.code,
        severity=lint.severity,
        file=wrong.file,
        line=wrong.line,
        path=wrong.key,
        message=lint.message,
    )


def _twice(document: Document, marked: Marked) -> Finding:
    message = "its id is taken by another document. Give each its own."
    return _at(marked, "/id", code="schema", message=message, document=document.id)


def _at(
    marked: Marked, pointer: str, *, code: str, message: str, document: str
) -> Finding:
    severity: Severity = "refuse" if code == "schema" else "warn"
    return Finding(
        code=code,
        severity=severity,
        file=str(marked.path),
        line=marked.line_of(pointer),
        document=document,
        path=pointer.removeprefix("/") or None,
        message=message,
    )


def _unmatched(shelf: Shelf) -> Iterator[Finding]:
    """Agreements that somebody has yet to sign, and signatures of no text here."""
    owed = unsigned(shelf.composition)
    texts: dict[str, set[str]] = {}
    for document, marked in shelf.documents:
        texts.setdefault(document.id, set()).add(content_hash(document))
        if document.id in owed:
            message = (
                f"not signed, in its present text, by {', '.join(owed[document.id])}, "
                "so it gives nothing of theirs and nothing to them. "
                "Sign it: throughline policy sign."
            )
            yield _at(
                marked, "", code="not_signed", message=message, document=document.id
            )
    for signature, marked in shelf.signatures:
        if signature.hash not in texts.get(signature.document, ()):
            yield _of_nothing(signature, marked, known=signature.document in texts)


def _of_nothing(signature: Signature, marked: Marked, *, known: bool) -> Finding:
    what = "another text of its document" if known else "a document that is not here"
    message = f"signs {what}, and counts for nothing. Sign anew, or remove it."
    return _at(
        marked,
        "/hash" if known else "/document",
        code="idle_signature",
        message=message,
        document=signature.document,
    )


def _of_the_set(
    shelf: Shelf, circumstances: Circumstances, oracle: Oracle
) -> Iterator[Finding]:
    supposed = as_signed(shelf.composition, circumstances.now)
    for place in places_of(supposed.members):
        for lint in unlawful(place, circumstances):
            yield _located(shelf, lint)
    try:
        for lint in lints(
            supposed.members,
            supposed.signatures,
            now=circumstances.now,
            organisations=circumstances.organisations,
        ):
            yield _located(shelf, lint)
        opinion = oracle(supposed.compiled(), circumstances)
    except Invalid as error:
        yield Finding(code="too_many_clauses", severity="refuse", message=error.message)
        return
    if opinion.outcome == "not run":
        yield Finding(code="oracle_not_run", severity="warn", message=_NOT_RUN)
    for said in opinion.sentences:
        message = f"the oracle decides otherwise: {said} Report it; do not publish."
        yield Finding(code="oracle_disagreement", severity="refuse", message=message)


def _located(shelf: Shelf, lint: Lint) -> Finding:
    """What the gate says, where it stands in the file: parts are sorted in no file."""
    document, marked = next(
        pair for pair in shelf.documents if pair[0].id == lint.document
    )
    pointer = _written(document, marked, lint.pointer.split("/")[1:])
    path = "".join(f"[{e}]" if e.isdigit() else f".{e}" for e in pointer)
    return Finding(
        code=lint.code,
        severity=lint.severity,
        file=str(marked.path),
        line=marked.line_of("".join(f"/{each}" for each in pointer)),
        document=lint.document,
        path=path.removeprefix("."),
        message=lint.message,
    )


def _written(document: Document, marked: Marked, steps: Sequence[str]) -> list[str]:
    name, place, *rest = steps
    part = parts_of(document)[int(place)]
    # It was read, so it is a list of parts, each with its id.
    entries = cast("Sequence[Mapping[str, str]]", marked.data[name])
    ids = [each["id"] for each in entries]
    return [name, str(ids.index(part.id)), *rest]
