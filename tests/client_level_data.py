"""Generated adult social care client-level data, and the published rule told plainly.

The rule: Department of Health and Social Care, ASC-CLD-LA-Dashboard, "Selecting
submissions to cover the period" and "Deduplication" of its methodology.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from tests.drop_series import as_csv
from tests.people import number

COUNCIL: Final = "Z9C"
COLUMNS: Final = (
    *("LA_Code", "Reporting_Period_End_Date", "Reporting_Period_Start_Date"),
    *("NHS_Number", "LA_Person_Unique_Identifier", "GP_Practice_Code", "Gender"),
    *("Ethnicity", "Date_of_Birth", "Date_of_Death", "Client_Type"),
    *("Primary_Support_Reason", "Postcode", "Accommodation_Status"),
    *("Employment_Status", "Has_Unpaid_Carer", "Autism_Spectrum_Disorder_ASD"),
    *("Visual_Impairment", "Hearing_Impairment", "Dementia", "Client_Funding_Status"),
    *("Event_Type", "Event_Reference", "Event_Start_Date", "Event_End_Date"),
    *("Event_Description", "Event_Outcome", "Request_Route_of_Access"),
    *("Assessment_Type", "Eligible_Needs_Identified", "Method_of_Assessment"),
    *("Total_Hrs_Caring_per_week", "No_of_adults_being_cared_for"),
    *("Adult_1_Linked_Person_ID", "Adult_2_Linked_Person_ID"),
    *("Adult_3_Linked_Person_ID", "Service_Type", "Service_Component"),
    *("Delivery_Mechanism", "Provider_CQC_Location_ID", "Review_Reason"),
    *("Review_Outcomes_Achieved", "Method_of_Review", "Unit_Cost"),
    *("Cost_Frequency_Unit_Type", "Planned_units_per_week"),
)
OUTCOMES: Final = (  # the best first
    "Progress to reablement/ST-Max",
    "Progress to assessment, review or reassessment",
    "Progress to support planning or services",
    "Continuation of support or services",
    "Admitted to hospital",
    "NFA: Deceased",
    "NFA: Other",
)
_COMPONENTS: Final = ("Home Support", "Day Support", "Direct Payment")
_ALSO: Final = {
    "Request": ("Event_End_Date", "Request_Route_of_Access"),
    "Assessment": ("Event_End_Date", "Assessment_Type"),
    "Review": ("Event_End_Date",),
    "Service": ("Service_Type", "Service_Component"),
}

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Submission:
    """A file of the twelve months up to the end of a quarter, made at a time."""

    period: str
    created: str
    rows: tuple[Row, ...]

    @property
    def name(self) -> str:
        return f"cld_{self.period}_{self.created}.csv"

    @property
    def data(self) -> bytes:
        cells = ([row.get(column, "") for column in COLUMNS] for row in self.rows)
        return as_csv(COLUMNS, cells)


def submissions(seed: int, *, people: int = 12, each: int = 8) -> list[Submission]:
    """Three quarters; the second was sent again, and said something else."""
    chance = random.Random(seed)  # noqa: S311 - no secret is made
    events = list(_events(chance, people=people, each=each))
    return [
        Submission(period, created, tuple(_told(events, period, chance)))
        for period, created in (
            ("2024-06-30", "20240712T0900"),
            ("2024-09-30", "20241011T1705"),
            ("2024-09-30", "20241014T0830"),
            ("2024-12-31", "20250110T1200"),
        )
    ]


def kept(sent: Iterable[Submission]) -> list[Row]:
    """The row of each event that the rule keeps."""
    ordered = sorted(sent, key=lambda s: (s.period, s.created))
    last = {submission.period: submission for submission in ordered}
    best: dict[tuple[str, ...], tuple[tuple[object, ...], Row]] = {}
    for place, submission in enumerate(last.values()):
        for line, row in enumerate(submission.rows):
            rank = (place, *_rank(row), line)
            key = _event(row)
            if key not in best or rank > best[key][0]:
                best[key] = rank, row
    return [row for _, row in best.values()]


def _event(row: Row) -> tuple[str, ...]:
    own = (
        row["NHS_Number"] or row["LA_Person_Unique_Identifier"],
        *(row[c] for c in ("LA_Code", "Event_Type", "Event_Start_Date", "Client_Type")),
    )
    return *own, *(row[column] for column in _ALSO[row["Event_Type"]])


def _rank(row: Row) -> tuple[object, ...]:
    """Greater is kept: open first, then the latest end, then the best outcome."""
    end, outcome = row["Event_End_Date"], row["Event_Outcome"]
    when = "".join(reversed(end.split("/"))) if end else "99999999"
    return when, -OUTCOMES.index(outcome) if outcome else -len(OUTCOMES)


def _events(chance: random.Random, *, people: int, each: int) -> Iterator[Row]:
    for who in range(people):
        about = {
            "LA_Code": COUNCIL,
            "NHS_Number": number(who) if who % 4 else "",
            "LA_Person_Unique_Identifier": f"P{who:04d}",
            "Client_Type": "Service User" if who % 5 else "Carer",
            "Date_of_Birth": f"01/02/{1930 + who}",
            "Gender": str(who % 2 + 1),
        }
        for n in range(each):
            start = date(2023, 8, 1) + timedelta(days=n * 60 + chance.randrange(50))
            kind = chance.choice(tuple(_ALSO))
            yield about | {
                "Event_Type": kind,
                "Event_Reference": f"E{who}-{n}",
                "Event_Start_Date": _day(start),
                "Event_End_Date": _day(start + timedelta(days=chance.randrange(90))),
                "Event_Outcome": chance.choice(OUTCOMES),
                "Event_Description": f"{kind} {n}",
                **_of_kind(kind, chance),
            }


def _of_kind(kind: str, chance: random.Random) -> Row:
    if kind == "Request":
        return {"Request_Route_of_Access": "Community / other route"}
    if kind == "Assessment":
        return {"Assessment_Type": "Long term assessment"}
    if kind == "Review":
        return {"Review_Reason": "Planned"}
    return {
        "Service_Type": "Long Term Support: Community",
        "Service_Component": chance.choice(_COMPONENTS),
    }


def _told(events: Sequence[Row], period: str, chance: random.Random) -> Iterator[Row]:
    """The events as a submission tells them: outcomes change, services end, or not."""
    end = date.fromisoformat(period)
    for event in events:
        start = date(*map(int, reversed(event["Event_Start_Date"].split("/"))))
        if not end - timedelta(days=365) < start <= end:
            continue
        told = event | {"Reporting_Period_End_Date": _day(end)}
        told["Event_Outcome"] = chance.choice((*OUTCOMES, ""))
        told["Event_Description"] += f" as of {period}"
        if chance.random() < 0.2:
            told["Event_Reference"] += "-renumbered"
        if event["Event_Type"] != "Service":
            yield told
            continue
        for mechanism in ("CASSR managed", "Direct payment")[: chance.choice((1, 2))]:
            ends = chance.choice(("", _day(start + timedelta(chance.randrange(300)))))
            yield told | {"Event_End_Date": ends, "Delivery_Mechanism": mechanism}


def _day(day: date) -> str:
    return day.strftime("%d/%m/%Y")
