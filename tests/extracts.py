"""Extracts made up for the kit: text files of invented people, odd in known ways."""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta

from gateway.onboarding.guess import guess
from gateway.onboarding.interview import Said, settle
from gateway.onboarding.sample import Sample, read_sample
from tests.people import number

HEADER = (
    "Visit Ref",
    "Client No",
    "NHS Number",
    "Date of Birth",
    "Visit Date",
    "Outcome",
)
FIRST = date(2025, 1, 31)


def visits(
    count: int = 60, *, people: int = 12, form: str = "%d/%m/%Y"
) -> list[tuple[str, ...]]:
    """Rows under HEADER: visits of so many people, a day apart."""
    rows: list[tuple[str, ...]] = []
    for visit in range(count):
        who = visit % people
        born = date(1940 + who % 60, 1 + who % 12, 13 + who % 15)
        rows.append(
            (
                f"V{10_000 + visit}",
                f"C{500 + who}",
                number(who),
                born.strftime(form),
                (FIRST + timedelta(days=visit)).strftime(form),
                ("Attended", "DNA", "Attended")[visit % 3],
            )
        )
    return rows


def text(
    rows: Iterable[Sequence[str]],
    *,
    header: Sequence[str] | None = HEADER,
    mark: str = ",",
    end: str = "\n",
) -> str:
    """The rows as a delimited file."""
    lines = [*([header] if header else []), *rows]
    return "".join(mark.join(line) + end for line in lines)


def sample_of(
    rows: Iterable[Sequence[str]], *, header: Sequence[str] = HEADER
) -> Sample:
    """The rows as the kit reads them."""
    return read_sample(text(rows, header=header).encode(), header=True)


def guessed(rows: Iterable[Sequence[str]], *, header: Sequence[str] = HEADER):
    """What is guessed of them in a source of community care."""
    return guess(sample_of(rows, header=header), sector="community")


def settled(rows, *, header: Sequence[str] = HEADER, **options: str):
    """What is guessed once options have answered; nobody is there to be asked."""
    said = {f"--{name.replace('_', '-')}": each for name, each in options.items()}
    asks = Said(options=said, prompt=None)
    return settle(guessed(rows, header=header), asks, columns=header)
