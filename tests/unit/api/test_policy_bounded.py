"""Analyses beside the event loop: a few at a time, none waited for too long."""

import asyncio
import threading

import pytest

from gateway.api.policy.bounded import Workbench
from gateway.problems import RequestError


@pytest.fixture
def gate():
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.fixture
def bench():
    bench = Workbench(bound_s=0.2)
    yield bench
    bench.close()
    bench.close()


async def test_what_is_done_in_time_is_given_back(bench):
    assert await bench.run(lambda: 7) == 7


async def test_what_takes_too_long_is_let_go_and_keeps_nobody_waiting(bench, gate):
    with pytest.raises(RequestError) as refused:
        await bench.run(lambda: gate.wait(30))
    assert refused.value.code == "overloaded"
    assert refused.value.retry_after_s == 30
    assert await bench.run(lambda: 7) == 7


async def test_no_more_than_two_are_begun_at_once(bench, gate):
    """Catches a thread for each analysis that was given up."""
    begun = []

    def work():
        begun.append(1)
        gate.wait(30)

    refused = await asyncio.gather(
        *(bench.run(work) for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(each, RequestError) for each in refused)
    assert len(begun) == 2


async def test_an_error_of_an_analysis_comes_through(bench):
    with pytest.raises(ZeroDivisionError):
        await bench.run(lambda: 1 // 0)
