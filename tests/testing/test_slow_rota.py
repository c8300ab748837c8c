"""The slow tests are shared out: every one in one part, parts alike, skips told."""

import collections
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

HELPERS = Path(__file__).parents[1] / "helpers"
sys.path.insert(0, str(HELPERS))

from slow_rota import SECONDS, chosen_part, share_out  # noqa: E402

CI_RUN = Path(__file__).parents[2] / ".ci" / "run"

SUITE = {
    "test_one.py": """
        import pytest

        @pytest.mark.slow
        @pytest.mark.parametrize("case", "abcdefg")
        def test_cases(case):
            pass

        def test_quick():
            pass
    """,
    "test_two.py": """
        import pytest

        pytestmark = pytest.mark.slow

        def test_a():
            pass

        @pytest.mark.slow(seconds=300)
        def test_long():
            pass
    """,
}


def run(folder, part=None, *args, files=SUITE, workers=0):
    """Run pytest on a few files; return what it ended with and what it printed."""
    for name, code in files.items():
        (folder / name).write_text(textwrap.dedent(code))
    (folder / "pytest.ini").write_text(
        "[pytest]\nmarkers =\n    slow: slow\naddopts = -p slow_rota -v -ra\n"
    )
    ours = ("HMSKLEARN_SLOW", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST")
    xdist = ("PYTEST_XDIST_",)  # the run that runs this test may itself be shared
    env = {k: v for k, v in os.environ.items() if not k.startswith((*ours, *xdist))}
    env["PYTHONPATH"] = str(HELPERS)
    env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # what is not needed takes its time
    if part is not None:
        env["HMSKLEARN_SLOW"] = part
    many = ["-p", "xdist.plugin", "-n", str(workers), "--dist", "loadfile"]
    many = many if workers else []
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *many, *args]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def with_outcome(word, printed):
    either = rf"(?:\[gw\d\].*{word} (\S+)|^(\S+::\S+) {word})"
    return {a or b for a, b in re.findall(either, printed, flags=re.M)}


EVERY = {f"test_one.py::test_cases[{case}]" for case in "abcdefg"} | {
    *("test_one.py::test_quick", "test_two.py::test_a", "test_two.py::test_long")
}


def test_every_test_runs_where_no_part_is_named(tmp_path):
    for nothing in (None, ""):
        code, printed = run(tmp_path, nothing)
        assert code == 0
        assert with_outcome("PASSED", printed) == EVERY
        assert "SKIPPED" not in printed
        assert "slow tests: all (HMSKLEARN_SLOW is not set)" in printed


@pytest.mark.parametrize(("n_parts", "workers"), [(3, 0), (2, 2)])
def test_every_slow_test_runs_in_exactly_one_part(tmp_path, n_parts, workers):
    if workers:
        pytest.importorskip("xdist")
    times = collections.Counter()
    for part in range(n_parts):
        code, printed = run(tmp_path, f"{part + 1}/{n_parts}", workers=workers)
        assert code == 0
        ran = with_outcome("PASSED", printed)
        # The others are told, none is left out in silence.
        assert ran | with_outcome("SKIPPED", printed) == EVERY
        assert not ran & with_outcome("SKIPPED", printed)
        n_cases = sum("test_cases" in node for node in ran)
        assert n_cases in (7 // n_parts, 7 // n_parts + 1)
        times.update(ran)
    assert times.pop("test_one.py::test_quick") == n_parts
    assert times == dict.fromkeys(EVERY - {"test_one.py::test_quick"}, 1)


def test_a_skip_says_how_to_run_the_test(tmp_path):
    _, printed = run(tmp_path, "1/2")
    assert "slow tests: part 1 of 2" in printed
    reasons = re.findall(r"^SKIPPED .* (unset .*)$", printed, flags=re.M)
    assert set(reasons) == {"unset HMSKLEARN_SLOW or set it to 2/2 to run it"}
    # As it says.
    skipped = with_outcome("SKIPPED", printed)
    assert skipped
    assert skipped <= with_outcome("PASSED", run(tmp_path, "2/2")[1])


@pytest.mark.parametrize("workers", [0, 2])
def test_a_part_that_there_is_not_ends_the_run(tmp_path, workers):
    if workers:
        pytest.importorskip("xdist")
    code, printed = run(tmp_path, "6/5", workers=workers)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "HMSKLEARN_SLOW='6/5' names no part of the slow tests" in printed
    assert "Set it to PART/PARTS, as 2/5 for the second of five, or unset it" in printed
    assert "passed" not in printed


@pytest.mark.parametrize(
    "value", ["2", "0/5", "6/5", "2/0", "-1/5", "a/b", "2/5 ", "1.0/2", "2/5/7", "²/5"]
)
def test_malformed_values(monkeypatch, value):
    monkeypatch.setenv("HMSKLEARN_SLOW", value)
    with pytest.raises(pytest.UsageError, match="names no part of the slow tests"):
        chosen_part()


@pytest.mark.parametrize("value", ["1/1", "2/5", "5/5", "10/12"])
def test_sound_values(monkeypatch, value):
    monkeypatch.setenv("HMSKLEARN_SLOW", value)
    assert "{}/{}".format(*chosen_part()) == value


@pytest.mark.parametrize("mark", ["60", "seconds=0", "minutes=2", "seconds='1'"])
def test_malformed_marks(tmp_path, mark):
    code = f"""
        import pytest

        @pytest.mark.slow({mark})
        def test_a():
            pass
    """
    # Told in any run, not only where the slow tests are shared out.
    code, printed = run(tmp_path, files={"test_a.py": code})
    assert code != 0
    assert "test_a.py::test_a: the mark slow takes seconds, a number above 0" in printed


def load_of(costs, part_of, n_parts):
    load = [0] * n_parts
    for node, part in part_of.items():
        load[part - 1] += costs[node][0]
    return load


@pytest.mark.parametrize("n_parts", [1, 2, 3, 5, 8])
def test_parts_cost_the_same(n_parts):
    costs = {f"test_{i}.py::test": (5 + 7 * i % 50, None) for i in range(60)}
    costs["test_long.py::test"] = (100, None)
    part_of = share_out(costs, n_parts)
    assert set(part_of) == set(costs)
    load = load_of(costs, part_of, n_parts)
    assert max(load) <= 1.05 * min(load)


def test_cases_of_one_test_are_spread():
    costs = {f"test_a.py::test_all[{i}-x]": (SECONDS, None) for i in range(13)}
    costs |= {f"test_b.py::test_some[{i}]": (40 + i, None) for i in range(5)}
    costs |= {"test_c.py::test_one": (200, None)}
    part_of = share_out(costs, 5)
    for test, counts in (("test_all", {2, 3}), ("test_some", {1})):
        cases = [part for node, part in part_of.items() if test in node]
        n_cases = collections.Counter(cases)
        assert set(n_cases) == {1, 2, 3, 4, 5}
        assert set(n_cases.values()) == counts


def test_parts_do_not_depend_on_the_order():
    costs = {f"test_a.py::test_{i % 7}[{i}]": (10 + i % 3, None) for i in range(40)}
    backwards = dict(reversed(costs.items()))
    assert share_out(costs, 4) == share_out(backwards, 4)


def test_what_shares_a_fixture_stays_together():
    costs = {f"test_a.py::test_{i}": (30, "backbone") for i in range(4)}
    costs |= {f"test_b.py::test_{i}[{i}]": (30, None) for i in range(4)}
    part_of = share_out(costs, 2)
    assert len({part_of[node] for node in costs if "test_a" in node}) == 1
    assert load_of(costs, part_of, 2) == [120, 120]


# The command of continuous integration -----------------------------------------------


@pytest.mark.skipif(not CI_RUN.exists(), reason="no checkout: .ci/run is not here")
@pytest.mark.parametrize(
    ("env", "time", "part"),
    [
        ({"CI": "true"}, 0, "1/23"),
        ({"CI": "true"}, 3599, "1/23"),
        ({"CI": "true"}, 3600, "2/23"),
        ({"CI": "true"}, 22 * 3600, "23/23"),
        ({"CI": "true"}, 23 * 3600, "1/23"),
        ({"CI": "true", "HMSKLEARN_SLOW": "3/7"}, 3600, "3/7"),
        ({}, 3600, ""),
        ({"CI": "false"}, 3600, ""),
    ],
)
def test_part_of_a_commit(tmp_path, env, time, part):
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_bytes(CI_RUN.read_bytes())
    (tmp_path / "README.md").write_text(
        "python -m venv --help >none && echo part=$HMSKLEARN_SLOW for pytest\n"
    )
    tools = tmp_path / ".venv" / "bin"
    tools.mkdir(parents=True)
    for tool in ("pip", "ruff"):
        (tools / tool).write_text("#!/bin/sh\n")
        (tools / tool).chmod(0o755)
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(sys.executable)
    clean = {k: v for k, v in os.environ.items() if k not in ("CI", "HMSKLEARN_SLOW")}
    when = {f"GIT_{who}_DATE": f"@{time} +0000" for who in ("AUTHOR", "COMMITTER")}
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    names = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=no"]
    for args in (["init", "-q"], [*names, "commit", "-q", "--allow-empty", "-m", "a"]):
        subprocess.run(["git", *args], cwd=tmp_path, env=clean | when, check=True)
    done = subprocess.run(
        ["bash", ".ci/run"],
        cwd=tmp_path,
        env=clean | env | {"PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"part={part} for pytest" in done.stdout
    # Which part runs is said before the tests.
    told = part or "all"
    assert f"slow tests: {told}" in done.stdout.splitlines()[0]
