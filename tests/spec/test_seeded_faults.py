"""Each gate fails on a fault of its kind, seeded into a copy of the tree.

A gate that cannot fail guards nothing.
"""

import os
import shutil
import subprocess
import sys

import pytest

from tests.corpus import ROOT
from tests.laws import (
    asking,
    exemptions,
    guides,
    imports,
    kinds,
    layout,
    routes,
    silence,
    sizes,
    words,
)

INTENT = "await house.trail.append(record.intent(house))"
OUTCOME = "await house.trail.append(record.outcome(house))"


def path_of(*steps):
    """An inquiry of these statements, in their order."""
    lines = "".join(f"    {step}\n" for step in steps)
    return (
        "async def _ask(house):\n    return await ask_all(house)\n"
        f"async def inquire(house):\n{lines}"
    )


LONG = "def endless():\n" + "    print()\n" * 60

# What is written where, which law it breaks, and what the complaint says.
FAULTS = {
    "a function of 61 lines": (
        "gateway/endless.py",
        LONG,
        sizes.too_large,
        "61 lines, most 60",
    ),
    "a method of 61 lines in a test": (
        "tests/unit/test_endless.py",
        "class Deep:\n" + "".join(f"    {line}\n" for line in LONG.splitlines()),
        sizes.too_large,
        "61 lines, most 60",
    ),
    "a file of 501 lines": (
        "adapters/endless.py",
        "X = 1\n" * 501,
        sizes.too_large,
        "501 lines, most 500",
    ),
    "functions that are mostly too long": (
        "gateway/rambling.py",
        ("def ramble():\n" + "    print()\n" * 29) * 200,
        sizes.too_large,
        "functions: p90 is 30 lines, most 25",
    ),
    "a forbidden import": (
        "policies/shortcut.py",
        "def load():\n    import msgspec\n",
        imports.foreign_to_policies,
        "policies imports msgspec",
    ),
    "a forbidden import of a part": (
        "policies/shortcut.py",
        "from gateway.clock import Clock\n",
        imports.foreign_to_policies,
        "policies imports gateway.clock",
    ),
    "an NHS number logged": (
        "gateway/chatty.py",
        "def note(log, nhs_number):\n    log.info('asked', who=nhs_number)\n",
        silence.told,
        "logs nhs_number",
    ),
    "an NHS number logged by its keyword": (
        "gateway/chatty.py",
        "def note(log, n):\n    log.info('asked', nhs_number=n)\n",
        silence.told,
        "logs nhs_number",
    ),
    "an NHS number logged within a sentence": (
        "gateway/chatty.py",
        (
            "import logging\n"
            "def note(q):\n"
            "    logging.getLogger(__name__).warning(f'{q.person.nhs_number} asked')\n"
        ),
        silence.told,
        "logs nhs_number",
    ),
    "a bound logger given a person": (
        "gateway/chatty.py",
        "def note(log, q):\n    log.bind(who=str(q.person)).info('asked')\n",
        silence.told,
        "logs person",
    ),
    "a patient's value in an error": (
        "adapters/chatty.py",
        "def refuse(cell):\n    raise ValueError(f'{cell!r} is no date')\n",
        silence.told,
        "an error tells cell",
    ),
    "a patient's value in a message kept for an error": (
        "adapters/chatty.py",
        (
            "def refuse(q):\n    message = f'{q.identifiers} unknown'\n"
            "    raise ValueError(message)\n"
        ),
        silence.told,
        "an error tells identifiers",
    ),
    "a patient's value in a repr": (
        "adapters/chatty.py",
        "class C:\n    def __repr__(self):\n        return f'C({self.value})'\n",
        silence.told,
        "a repr tells value",
    ),
    "an unaudited ask": (
        "gateway/shortcut.py",
        "async def peek(adapter, query):\n    return await adapter.ask(query)\n",
        asking.asked_elsewhere,
        "asks a source",
    ),
    "an ask of a check beside the one place": (
        "gateway/checking/peeking.py",
        "async def peek(adapter, query):\n    return await adapter.ask(query)\n",
        asking.asked_elsewhere,
        "asks a source",
    ),
    "an unaudited ask under another name": (
        "gateway/shortcut.py",
        "def borrow(adapter):\n    peek = adapter.ask\n    return peek\n",
        asking.asked_elsewhere,
        "asks a source",
    ),
    "an unaudited question about merges": (
        "gateway/shortcut.py",
        "async def peek(adapter, person):\n    return await adapter.trace(person)\n",
        asking.asked_elsewhere,
        "asks a source",
    ),
    "a question put beside the fan-out": (
        "gateway/shortcut.py",
        "from gateway.journey.calling import call\n",
        asking.asked_elsewhere,
        "asks a source",
    ),
    "a fan-out beside the path": (
        "gateway/shortcut.py",
        "async def peek(errands):\n    return await ask_all(errands)\n",
        asking.unaudited,
        "shortcut.py: fans out",
    ),
    "a question before its intent": (
        "gateway/journey/inquiry.py",
        path_of("decide(house)", "await _ask(house)", INTENT, OUTCOME),
        asking.unaudited,
        "asks before the intent is durable",
    ),
    "a question with its intent under a condition": (
        "gateway/journey/inquiry.py",
        path_of(f"if house.careful: {INTENT}", "await _ask(house)", OUTCOME),
        asking.unaudited,
        "asks before the intent is durable",
    ),
    "an intent not waited for": (
        "gateway/journey/inquiry.py",
        path_of(INTENT.removeprefix("await "), "await _ask(house)", OUTCOME),
        asking.unaudited,
        "asks before the intent is durable",
    ),
    "an answer before its outcome": (
        "gateway/journey/inquiry.py",
        path_of(INTENT, "return await _ask(house)"),
        asking.unaudited,
        "tells before the outcome is durable",
    ),
    "a route that does not ask who asks": (
        "gateway/api/shortcut.py",
        "@router.get('/v1/peek')\nasync def peek(request):\n    inquire(request)\n",
        routes.undecided,
        "/v1/peek does not ask who is asking",
    ),
    "a route that decides nothing": (
        "gateway/api/shortcut.py",
        (
            "@router.post('/v1/peek')\n"
            "async def peek(request):\n    await requester_of(request)\n"
        ),
        routes.undecided,
        "/v1/peek decides nothing",
    ),
    "an exemption without a reason": (
        "gateway/lax.py",
        "import os  # no" + "qa: F401\n",
        exemptions.unreasoned,
        "lax.py:1",
    ),
    "an exemption from everything": (
        "gateway/lax.py",
        "import os  # no" + "qa - it is needed\n",
        exemptions.unreasoned,
        "lax.py:1",
    ),
    "a type ignored without a reason": (
        "gateway/lax.py",
        "x: int = ''  # type: " + "ignore[assignment]\n",
        exemptions.unreasoned,
        "lax.py:1",
    ),
    "a line not covered without a reason": (
        "gateway/lax.py",
        "x = 1  # pragma: " + "no cover\n",
        exemptions.unreasoned,
        "lax.py:1",
    ),
    "a kind of adapter without the suite": (
        "adapters/registry.py",
        "KINDS: dict = {'telepathy': None}\n",
        kinds.untested,
        "telepathy: no conformance class",
    ),
    "an error code that no guide names": (
        "gateway/problems.py",
        "PROBLEMS: dict = {'moon-phase-wrong': None}\n",
        guides.unnamed,
        "error code moon-phase-wrong",
    ),
    "a setting that no guide names": (
        "gateway/settings.py",
        "class Limits(Settings):\n    moons: int = 1\n",
        guides.unnamed,
        "setting moons",
    ),
    "a file named helpers": (
        "gateway/helpers.py",
        "",
        layout.misplaced,
        "gateway/helpers.py",
    ),
    "a folder of no place": (
        "services/x.py",
        "",
        layout.misplaced,
        "services/",
    ),
    "a test of no kind": (
        "tests/various/test_x.py",
        "",
        layout.misplaced,
        "tests/various/",
    ),
    "a path of one machine": (
        "docs/guide.md",
        "Open /ho" + "me/ada/throughline.\n",
        words.forbidden,
        "docs/guide.md:1: a path of one machine",
    ),
    "a registry's host": (
        "docs/guide.md",
        "See https://py" + "pi.org/project/x.\n",
        words.forbidden,
        "a host of a package registry",
    ),
    "an index chosen in the lock": (
        "requirements.lock",
        "--extra-" + "index-url https://example.invalid/simple\n",
        words.forbidden,
        "an index chosen for everybody",
    ),
}


# The files that a law reads by name.
READ = ("adapters/registry.py", "gateway/problems.py", "gateway/settings.py")


@pytest.fixture
def frame(tmp_path):
    """As much of the tree as a law needs to be asked."""
    for folder in ("policies", "tests/unit", "docs"):
        (tmp_path / folder).mkdir(parents=True)
    for name in READ:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def copy(tmp_path):
    """The packages, without what tools made of them."""
    made = shutil.ignore_patterns("__pycache__", "*_cache")
    target = tmp_path / "copy"
    for folder in ("gateway", "adapters", "policies"):
        shutil.copytree(ROOT / folder, target / folder, ignore=made)
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


def seed(copy, path, text):
    (copy / path).parent.mkdir(parents=True, exist_ok=True)
    (copy / path).write_text(text)


def run(copy, *command):
    """A tool of the environment, run in the copy and seeing the copy alone."""
    environment = os.environ | {"PYTHONPATH": str(copy), "NO_COLOR": "1"}
    return subprocess.run(  # noqa: S603 - our own tools, on a copy
        [sys.executable, "-P", *command],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("fault", list(FAULTS))
def test_the_law_finds_the_fault(frame, fault):
    path, text, law, complaint = FAULTS[fault]
    assert not any(complaint in each for each in law(frame))
    seed(frame, path, text)
    assert any(complaint in each for each in law(frame)), law(frame)


def test_what_only_looks_like_a_fault_is_let_be(frame):
    """A law that cries at everything is soon silenced."""
    text = (
        "def tell(log, events, identifier, path, key):\n"
        "    log.info('asked', count=len(events), system=identifier.system)\n"
        "    raise ValueError(f'{path}: {key.line} {len(events)}')\n"
        "class C:\n"
        "    def __repr__(self):\n"
        "        return f'C({self.kind})'\n"
    )
    seed(frame, "gateway/quiet.py", text)
    assert silence.told(frame) == []


def test_a_docstring_does_not_make_a_function_long(frame):
    body = "    print()\n" * 59
    seed(
        frame,
        "gateway/told.py",
        f'def told():\n    """One.\n\n    Two.\n    """\n{body}',
    )
    assert [c for c in sizes.too_large(frame) if "told.py" in c] == []


IMPORT_LINTER = (
    "-c",
    (
        "import sys; sys.path.insert(0, ''); "
        "from importlinter.cli import lint_imports_command as lint; lint()"
    ),
)


@pytest.mark.parametrize(
    ("path", "text", "contract"),
    [
        (
            "adapters/shortcut.py",
            "from gateway import clock\n",
            "the gateway stands on two leaves",
        ),
        (
            "policies/shortcut.py",
            "from adapters import vocabulary\n",
            "the gateway stands on two leaves",
        ),
        (
            "policies/shortcut.py",
            "import pydantic\n",
            "deciding needs the standard library alone",
        ),
        (
            "adapters/csv_drop/shortcut.py",
            "from adapters.fhir import build\n",
            "no adapter kind leans on another",
        ),
    ],
)
def test_a_forbidden_import_breaks_its_contract(copy, path, text, contract):
    seed(copy, path, text)
    linted = run(copy, *IMPORT_LINTER)
    assert linted.returncode != 0
    broken = linted.stdout.partition("Broken contracts")[2]
    assert contract in broken, linted.stdout + linted.stderr


UNHANDLED = """
from typing import assert_never

from gateway.journey.outcome import Answered, Denied, Failure, Outcome


def state(outcome: Outcome) -> str:
    match outcome:
        case Answered() | Failure() | Denied():
            return "told"
        case _:
            assert_never(outcome)
"""


def test_an_unhandled_outcome_fails_the_type_check(copy, tmp_path):
    seed(copy, "gateway/forgetful.py", UNHANDLED)
    cache = f"--cache-dir={tmp_path / 'cache'}"
    checked = run(copy, "-m", "mypy", cache, "gateway/forgetful.py")
    assert checked.returncode == 1, checked.stderr
    told = [line for line in checked.stdout.splitlines() if "forgetful.py" in line]
    assert any("NotAsked" in line for line in told), checked.stdout
