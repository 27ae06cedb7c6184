"""One reason of a decision."""

from dataclasses import dataclass

from policies.lines import Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """One reason: a stable code, the line it comes from, and words for people."""

    code: str
    authority: str | None
    why: str
    organisation: str | None


def granted(line: Line) -> Because:
    """The reason of a permit: the clause's own words."""
    return Because(
        code="granted",
        authority=line.authority,
        why=line.why,
        organisation=line.organisation,
    )
