"""Policy as files in a folder, easy to vary by a line; and the command on it."""

from collections.abc import Sequence
from pathlib import Path

import yaml
from typer.testing import CliRunner, Result

from gateway import cli
from policies.documents import content_hash

AT = "2026-06-01T12:00:00Z"
AGREEMENT = """\
kind: agreement
id: DSA-1
parties: {providers: [Z9A01], recipients: [Z9B02]}
dpia: DPIA-1
review_by: 2027-01-01
valid: {from: 2026-01-01, through: 2027-12-31}
clauses:
- id: z1
  purposes: [direct-care]
  legal_basis: {art6: 6(1)(e), art9: 9(2)(h), confidentiality: implied-consent}
  operations: [journey.read]
  modes: [identified]
  roles: [doctor]
  relationships: [registered]
  assurance: [aal2]
  categories: [encounters]
  why: Shared care
- id: a1
  purposes: [care-coordination]
  legal_basis: {art6: 6(1)(e), art9: 9(2)(h), confidentiality: implied-consent}
  operations: [journey.read]
  modes: [identified]
  roles: [nurse, gp]
  relationships: [registered]
  assurance: [aal2]
  categories: [medications]
  why: Shared lists
"""
RULE = """\
kind: local-rule
id: LR-1
org: Z9A01
rules:
- {id: v1, effect: veto, when: {roles: [nurse]}, overridable: false, why: Board}
"""
QUESTION = {
    "owner": "Z9A01",
    "category": "encounters",
    "purpose": "direct-care",
    "recipient": "Z9B02",
    "role": "doctor",
    "relationship": "registered",
    "assurance": "aal2",
}
REQUEST = " ".join(f"{key}={value}" for key, value in QUESTION.items())


def write(folder: Path, name: str, *texts: str) -> Path:
    """A file of these documents."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("---\n".join(texts), "utf-8")
    return path


def varied(old: str, new: str, text: str = AGREEMENT) -> str:
    """The text with one thing changed, which must be there."""
    assert old in text, f"nothing to change: {old}"
    return text.replace(old, new, 1)


def signed(text: str, *organisations: str) -> str:
    """The text of one agreement with the signatures of these, by default of both."""
    data = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it builds text alone
    signatures = [
        {
            "kind": "signature",
            "document": data["id"],
            "hash": content_hash(data),
            "organisation": each,
            "person": "A Signatory",
            "capacity": "caldicott",
            "at": "2026-01-02T09:00:00+00:00",
        }
        for each in organisations or ("Z9A01", "Z9B02")
    ]
    return "---\n".join((text, *(yaml.safe_dump(each) for each in signatures)))


def table(folder: Path, *rows: Sequence[str], head: str = "") -> Path:
    """A CSV table of expected decisions: name, effect, and what differs."""
    path = folder / "expected.csv"
    lines = [
        head or ",".join(("name", "effect", "at", *QUESTION)),
        *map(",".join, rows),
    ]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def row(name: str, effect: str, **changed: str) -> tuple[str, ...]:
    """One row of such a table."""
    return (name, effect, AT, *(QUESTION | changed).values())


def run(*arguments: object) -> Result:
    """`throughline policy …` of these arguments."""
    return CliRunner().invoke(cli.app, ["policy", *map(str, arguments)])
