"""Sources to be checked: fakes that answer as told, in a small right configuration."""

from pathlib import Path
from typing import Any

from gateway.checking.asking import Asker, Bounds
from gateway.checking.check import Means
from gateway.checking.registered import Checked, Registered
from gateway.settings import load_settings
from tests import configuration
from tests.fakes import FakeAdapter
from tests.houses import NOW, HouseClock, answer, profile, source
from tests.people import number

QUICK = Bounds(each_s=0.3, first_s=0.5)
NUMBER = number(0)
SOURCE = "Z9A01.gp"
# A registration without `none`, and without a promise that only a person can show.
TEXT = configuration.TEXT.replace(
    'sensitive-record = "states"', 'sensitive-record = "prefiltered"'
)


def registered_in(folder: Path, text: str = TEXT, id_: str = SOURCE) -> Registered:
    """One source of a configuration written into `folder`."""
    path = configuration.write(folder, text)
    settings = load_settings(path, {})
    (own,) = (each for each in settings.sources if each.id == id_)
    return Registered(settings=settings, source=own, config=path)


def nobody(_query):
    """An answer that knows nobody."""
    return answer(about=None)


def fake(answers=nobody, *, held=("encounters",), systems=(), waits_s=0.0):
    """An adapter that answers so, and remembers what it was asked."""
    return FakeAdapter(answers, profile=profile(held, systems), waits_s=waits_s)


def checked_in(folder: Path, adapter, *, text: str = TEXT, **registration) -> Checked:
    """The adapter as a source of the configuration in `folder`."""
    return Checked(
        registered=registered_in(folder, text),
        source=source(SOURCE, adapter, sector="primary-care", **registration),
    )


def asker_of(adapter, bounds: Bounds = QUICK) -> Asker:
    return Asker(adapter, place="sources/gp.toml", clock=HouseClock(), bounds=bounds)


def means(**changes) -> Means:
    given: dict[str, Any] = {
        "clock": HouseClock(NOW),
        "operator": "uid:0",
        "first_s": 0.5,
    }
    return Means(**(given | changes))


def results(findings) -> dict[str, str]:
    """The result of each question; of several findings, the last."""
    return {each.question: each.result for each in findings}


def found(findings, question, result="wrong"):
    """The one finding of a question with this result."""
    (one,) = (e for e in findings if (e.question, e.result) == (question, result))
    return one


def is_told_whole(finding) -> bool:
    """Whether it says what is wrong, where, and the remedy."""
    return bool(finding.says and finding.where and finding.remedy)
