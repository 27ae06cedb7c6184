"""Each level takes all that the ones below it take, and says what it lacks."""

from dataclasses import replace

import pytest

from gateway.checking import of_nobody, of_person, of_rows
from gateway.checking.maturity import CRITERIA, Evidence, by_question, maturity
from gateway.checking.report import Report, not_asked, note, ok, wrong
from tests.checks import fake
from tests.houses import source

GOOD = [
    *("source-file", "reached", "flags", "unknown-person", "identifiers", "held"),
    *("as-of", "fresh", "caveats", "window", "no-category", "limit", "rows"),
    *of_person.QUESTIONS,
    *of_rows.QUESTIONS,
]


def evidence(*changed, without=(), kind="sql", corrects=True, watched=None):
    """A check in which all is well but for some findings."""
    other = {each.question for each in changed} | set(without)
    found = [ok(each, "well") for each in GOOD if each not in other]
    return Evidence(
        findings=by_question([*found, *changed]),
        source=source("Z9A01.gp", watched or fake()),
        kind=kind,
        corrects=corrects,
    )


def bad(question):
    return wrong(question, "is wrong", where="here", remedy="Mend it.")


def noted(question, says="could be better"):
    return note(question, says, where="here", remedy="Mend it.")


def lacking(*changed, **more):
    found = maturity(evidence(*changed, **more))
    return found.level, len(found.missing)


def test_where_all_is_well_it_is_three():
    assert lacking() == (3, 0)


def test_a_source_that_does_not_answer_is_below_zero():
    assert lacking(bad("reached")) == (None, 1)


@pytest.mark.parametrize(
    "question",
    [
        "unknown-person",
        "nobody-else",
        "window",
        "record-ids",
        "flags",
        "rows",
        "caveats",
    ],
)
def test_what_is_wrong_at_level_one_leaves_it_at_zero(question):
    assert lacking(bad(question))[0] == 0


def test_without_a_person_nothing_beyond_zero_is_proved():
    unasked = not_asked(of_person.QUESTIONS, "needs a synthetic person")
    found = maturity(evidence(*unasked))
    assert found.level == 0
    assert all("--nhs-number" in remedy for _, remedy in found.missing)


def test_a_window_that_could_not_be_tried_on_this_person_is_not_held_against_it():
    assert lacking(*not_asked(["window-ends"], "no record has a day")) == (3, 0)


@pytest.mark.parametrize(
    "finding",
    [
        bad("fresh"),
        noted("cadence"),
        noted("codes-translated"),
        noted("rows-read"),
        noted("times-read"),
        noted("ids-unique"),
        noted("caveats", "untranslated_code: a code the mapping does not translate"),
        bad("time-zones"),
        bad("asking-again"),
    ],
    ids=lambda finding: finding.question,
)
def test_what_is_amiss_at_level_two_leaves_it_at_one(finding):
    assert lacking(finding) == (1, 1)


@pytest.mark.parametrize(
    "finding",
    [
        noted("caveats", "filter_ignored: the source ignored a filter"),
        noted("placeholders"),
    ],
    ids=lambda finding: finding.question,
)
def test_what_is_amiss_at_level_three_leaves_it_at_two(finding):
    assert lacking(finding) == (2, 1)


def test_a_drop_that_is_not_watched_and_never_corrected_lacks_both():
    assert lacking(kind="csv_drop", corrects=False) == (2, 2)


def test_a_drop_that_is_watched_lacks_nothing():
    class Watched:
        async def watch(self):
            raise NotImplementedError

    assert lacking(kind="csv_drop", watched=Watched()) == (3, 0)


def test_an_unopened_source_is_watched_by_nobody():
    found = maturity(replace(evidence(kind="csv_drop"), source=None))
    assert found.level == 2


def test_every_level_has_criteria_and_each_a_remedy():
    assert {each.level for each in CRITERIA} == {0, 1, 2, 3}
    assert all(each.remedy.endswith((".", "-number.")) for each in CRITERIA)


def test_a_level_stands_in_the_json_of_a_report():
    report = Report(
        source="Z9A01.gp",
        organisation="Z9A01",
        sector="acute",
        file="gp.toml",
        findings=(),
        maturity=maturity(evidence(bad("fresh"))),
    )
    told = report.as_json()["maturity"]
    assert told["level"] == 1
    assert told["missing"][0]["remedy"].endswith(".")


def test_questions_asked_about_nobody_are_known_here():
    assert of_nobody.STRANGERS
