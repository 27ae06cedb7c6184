"""Sets made of files, compared, and tried on questions of one's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from gateway.policy_files.asking import Asked, Known, keys_of, read_asked
from gateway.policy_files.tables import Place, read_rows
from gateway.policy_files.told import Compared
from policies import vocabulary
from policies.analysis.difference import difference, owners_of
from policies.analysis.narrowing import narrowing
from policies.analysis.replay import Considered, what_if
from policies.compile import PolicySet
from policies.errors import Invalid
from policies.reading import Node

_PLACE: Final = "--request"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question of a file, and what it is called."""

    name: str
    asked: Asked


def compared(before: PolicySet, after: PolicySet, now: datetime) -> Compared:
    """Every request from now on that is answered otherwise; owner by owner."""
    return Compared(
        difference=difference(before, after, since=now),
        narrowings={
            owner: narrowing(before, after, owner=owner, since=now)
            for owner in owners_of(before, after)
        },
    )


def known_to(now: datetime, *sets: PolicySet) -> Known:
    """When it is, and every flag that a source could state of these sets' people."""
    tested = (each.flags for each in sets)
    return Known(now=now, flags=frozenset(vocabulary.FLAGS).union(*tested))


def read_questions(path: Path, known: Known) -> tuple[Question, ...]:
    """The questions of a table. ConfigurationError for the first thing wrong."""

    def read(node: Node, place: Place) -> Question:
        got = keys_of(node, optional=("name",))
        name = got["name"].text() if "name" in got else f"line {place.line}"
        return Question(name=name, asked=read_asked(got, known))

    return read_rows(path, "questions", read)


def read_request(said: Sequence[str], known: Known) -> Asked:
    """A question of pairs such as "role=gp". Invalid, with the key and its codes."""
    found: dict[str, object] = {}
    for pair in " ".join(said).split():
        key, is_pair, value = pair.partition("=")
        if not is_pair or not value or key in found:
            raise Invalid(_PLACE, 'must be pairs, each key once: "role=gp purpose=…".')
        found[key] = value
    return read_asked(keys_of(Node(found, _PLACE)), known)


def tried(
    questions: Sequence[Question], before: PolicySet, after: PolicySet
) -> list[tuple[Question, Considered]]:
    """Every question under both sets, every duty taken for one that is done."""
    asked = [(each.asked.request, (each.asked.cell,)) for each in questions]
    found = what_if(asked, before, after)
    return [
        (question, considered)
        for question, (considered,) in zip(questions, found, strict=True)
    ]
