"""The benchmarks themselves: they run, and what they compare agrees."""

import importlib
from pathlib import Path

import harness
import pytest

TOPICS = sorted(path.stem for path in Path(__file__).parent.glob("bench_*.py"))


def test_there_are_benchmarks():
    assert TOPICS


@pytest.mark.parametrize("topic", TOPICS)
def test_contenders_agree(topic):
    module = importlib.import_module(topic)
    # Where jobs take minutes there are small ones.
    for job in getattr(module, "small_jobs", module.jobs)():
        harness.check(job)
        assert any(neighbour.agrees for neighbour in job.neighbours), job.name
        assert any(neighbour.target for neighbour in job.neighbours), job.name


def test_a_wrong_result_is_not_timed():
    def differ(ours, theirs):
        assert ours == theirs

    wrong = harness.Contender("wrong", lambda: 2, 1, agrees=differ)
    job = harness.Job("job", harness.Contender("ours", lambda: 1, 1), [wrong])
    with pytest.raises(AssertionError):
        harness.measure(job, repeats=1)


def test_ratios_are_ours_to_theirs(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(harness.time, "perf_counter", lambda: next(clock))
    slow = harness.Contender("slow", lambda: next(clock) and None, 1, target=2.0)
    job = harness.Job("job", harness.Contender("ours", lambda: None, 1), [slow])
    ours, theirs = harness.measure(job, repeats=3)
    assert ours.ratio is None
    assert (theirs.ratio, theirs.target) == (2.0, 2.0)
    assert "2.00x" in harness.table([ours, theirs])


def test_slow_ones_run_once_and_searches_say_how_far_they_came():
    runs = []

    def slow():
        runs.append("slow")
        return 1.5

    def ours():
        runs.append("ours")
        return 1.0

    job = harness.Job(
        "job",
        harness.Contender("ours", ours, 1, gap=lambda result: 0.0),
        [harness.Contender("slow", slow, 1, once=True, gap=lambda result: result - 1)],
    )
    rows = harness.measure(job, repeats=3)
    assert (runs.count("slow"), runs.count("ours")) == (1, 4)
    assert [row.gap for row in rows] == [0.0, 0.5]
    lines = harness.table(rows).splitlines()
    assert lines[0].endswith("     gap")
    assert lines[2].endswith(" 5.0e-01")
