"""Finished folds on disk: what is read, what is fitted again, what a kill leaves."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from logged import Logged, count_fits
from sklearn.base import clone
from sklearn.model_selection import GroupKFold
from soft_labels import SoftLogistic, make_votes

from hmsklearn.ensemble import StackingKLClassifier
from hmsklearn.ensemble._fold_store import DiskRecord
from hmsklearn.model_selection._parallel import in_parallel

X, Y, PATIENT = make_votes(n_rows=90, n_patients=9)
HELPERS = Path(__file__).parents[1] / "helpers"


@pytest.fixture
def log(tmp_path):
    return str(tmp_path / "fits.txt")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "memory"


def stack_of(log, folder, **kwargs):
    members = [
        ("a", Logged(random_state=1, log=log)),
        ("b", Logged(random_state=2, log=log)),
    ]
    kwargs = {"cv": GroupKFold(3), "store_oof": True, "random_state": 0, **kwargs}
    return StackingKLClassifier(members, memory=folder, **kwargs)


def fit(stack, X=X, y=Y, **kwargs):
    return stack.fit(X, y, **{"groups": PATIENT, **kwargs})


def assert_same(one, other):
    np.testing.assert_array_equal(one.oof_, other.oof_)
    np.testing.assert_array_equal(one.weights_, other.weights_)
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert one.kl_ == other.kl_


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("refit", [True, False])
def test_a_second_run_fits_nothing(log, folder, refit, n_jobs):
    first = fit(stack_of(log, folder, refit=refit, n_jobs=n_jobs))
    fits = 2 * (3 + refit)
    assert count_fits(log) == fits
    again = fit(stack_of(log, str(folder), refit=refit))
    assert count_fits(log) == fits
    assert_same(first, again)
    assert_same(first, fit(stack_of(None, None, refit=refit)))
    for name in ("seconds_a", "seconds_b"):
        np.testing.assert_array_equal(first.cv_results_[name], again.cv_results_[name])


def test_a_joblib_memory_is_a_folder(log, folder):
    memory = joblib.Memory(folder, verbose=0)
    fit(stack_of(log, memory))
    fit(stack_of(log, folder))
    assert count_fits(log) == 8
    fit(stack_of(log, joblib.Memory(None)))
    assert count_fits(log) == 16


def test_another_blend_fits_no_member(log, folder):
    """What lies above the members may be tried out freely."""
    fit(stack_of(log, folder))
    for params in ({"upsample": "balanced"}, {"n_bootstrap": 10}, {"verbose": 0}):
        fit(stack_of(log, folder, **params))
    assert count_fits(log) == 8
    one = stack_of(log, folder).set_params(a="drop")
    fit(one)
    assert count_fits(log) == 8


def changed(what):
    """One change each that must lead to new fits of all or of some members."""
    X_, Y_ = X.copy(), Y.copy()
    X_[50, 2] += 1e-9
    Y_[50, 2] += 1
    return {
        "X": ({"X": X_}, {}, 8),
        "y": ({"y": Y_}, {}, 8),
        "X as float32": ({"X": X.astype(np.float32)}, {}, 8),
        "weights": ({"sample_weight": np.arange(1, 91)}, {}, 8),
        "a member's parameter": ({}, {"a__C": 2.0}, 4),
        "a member's seed": ({}, {"b__random_state": 3}, 4),
        # The refits are the same.
        "folds": ({}, {"cv": GroupKFold(4)}, 8),
        # The folds' estimators were not kept.
        "fold models": ({}, {"refit": False}, 6),
    }[what]


@pytest.mark.parametrize(
    "what",
    [
        *("X", "y", "X as float32", "weights", "a member's parameter"),
        *("a member's seed", "folds", "fold models"),
    ],
)
def test_what_has_changed_is_fitted_again(what, log, folder):
    fit(stack_of(log, folder))
    data, params, n_fits = changed(what)
    stack = fit(stack_of(log, folder).set_params(**params), **data)
    assert count_fits(log) == 8 + n_fits
    fresh = fit(stack_of(None, None).set_params(**params), **data)
    np.testing.assert_array_equal(stack.oof_, fresh.oof_)
    # The old one is still there.
    fit(stack_of(log, folder))
    assert count_fits(log) == 8 + n_fits


def test_random_states_that_are_objects(log, folder):
    states = [np.random.RandomState(seed) for seed in (0, 0, 1)]
    runs = [
        fit(stack_of(log, folder).set_params(a__random_state=s, b="drop"))
        for s in states
    ]
    assert count_fits(log) == 8
    np.testing.assert_array_equal(runs[0].oof_, runs[1].oof_)


def test_rows_of_a_frame(log, folder):
    """Rows count with values and attrs; their number in the index counts too."""

    def rows(**change):
        frame = pd.DataFrame(X, columns=list("abcd")).assign(**change)
        frame.attrs["root"] = Path("recordings")
        return frame

    fit(stack_of(log, folder), rows())
    fit(stack_of(log, folder), rows())
    assert count_fits(log) == 8
    fit(stack_of(log, folder), rows(d=0.0))
    assert count_fits(log) == 16
    other = rows()
    other.attrs["root"] = Path("other recordings")
    fit(stack_of(log, folder), other)
    assert count_fits(log) == 24


def test_damaged_files_are_fitted_again(log, folder):
    first = fit(stack_of(log, folder))
    files = sorted(folder.rglob("*.joblib"))
    assert len(files) == 8
    content = files[0].read_bytes()
    files[0].write_bytes(content[: len(content) // 2])
    flipped = bytearray(files[1].read_bytes())
    flipped[len(flipped) // 2] ^= 1
    files[1].write_bytes(bytes(flipped))
    files[2].write_bytes(b"")
    with pytest.warns(UserWarning, match="cannot be used .*fitted again") as caught:
        again = fit(stack_of(log, folder))
    assert len(caught) == 3
    assert count_fits(log) == 8 + 3
    assert_same(first, again)
    fit(stack_of(log, folder))
    assert count_fits(log) == 11


def test_a_file_is_whole_or_absent(tmp_path, monkeypatch):
    """A process that dies while it writes leaves no file under the name."""
    record = DiskRecord(tmp_path, "key", "test")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(OSError()))
        with pytest.raises(OSError):
            record.save([1, 2])
    assert record.load() is None
    assert list(tmp_path.iterdir()) == []
    record.save([1, 2])
    assert record.load() == [1, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["key.joblib"]


def test_progress_tells_what_was_read(log, folder, capsys):
    fit(stack_of(log, folder))
    fit(stack_of(log, folder, verbose=1))
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.endswith(", from disk") for line in lines) == 8


def test_nested_stacks_go_on_too(log, folder):
    stack = stack_of(log, folder, nested_cv=GroupKFold(2))
    first = fit(stack)
    assert count_fits(log) == 8 + 2 * 8
    again = fit(clone(stack))
    assert count_fits(log) == 24
    assert again.nested_gain_.kl == first.nested_gain_.kl


def test_nothing_is_kept_unasked(log, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(stack_of(None, None))
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_named():
    class Nameless:
        __slots__ = ()

        def __reduce__(self):
            raise RuntimeError("no pickle")

        def __deepcopy__(self, memo):
            return self

    stack = StackingKLClassifier(
        [("a", SoftLogistic(classes="hms", C=1.0))], memory="unused", cv=3
    )
    stack.estimators[0][1].columns = Nameless()
    with pytest.raises(TypeError, match="what is fitted must be told from what is not"):
        stack.fit(X, Y)


# Killed ------------------------------------------------------------------------------

SCRIPT = """
    import sys

    sys.path.insert(0, {helpers!r})
    from logged import Logged
    from sklearn.model_selection import GroupKFold
    from soft_labels import make_votes

    from hmsklearn.ensemble import StackingKLClassifier

    X, Y, PATIENT = make_votes(n_rows=90, n_patients=9)
    killer = Logged(random_state=2, log={log!r}, kill_at={kill_at})
    stack = StackingKLClassifier(
        [("a", Logged(random_state=1, log={log!r})), ("b", killer)],
        cv=GroupKFold(3), memory={folder!r}, random_state=0, refit={refit},
    )
    stack.fit(X, Y, groups=PATIENT)
"""


@pytest.mark.parametrize(
    ("kill_at", "refit", "kept"), [(5, True, 4), (8, True, 7), (6, False, 5)]
)
def test_a_killed_run_goes_on(kill_at, refit, kept, log, folder):
    """SIGKILL in the fifth fit, in the last refit, in the last fold."""
    script = SCRIPT.format(
        helpers=str(HELPERS), log=log, folder=str(folder), kill_at=kill_at, refit=refit
    )
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        timeout=300,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr.decode()
    assert count_fits(log) == kill_at
    assert len(list(folder.rglob("*.joblib"))) == kept

    stack = stack_of(log, folder, refit=refit)
    # The run that goes on is the same but for the order to die.
    stack.set_params(b__kill_at=kill_at)
    os.environ["HMSKLEARN_TEST_NO_KILL"] = "1"
    try:
        resumed = fit(stack)
    finally:
        del os.environ["HMSKLEARN_TEST_NO_KILL"]
    total = 2 * (3 + refit)
    assert count_fits(log) == kill_at + total - kept
    assert_same(resumed, fit(stack_of(None, None, refit=refit)))


# Classes of a script -----------------------------------------------------------------

OWN_CLASS = """
    import sys

    sys.path.insert(0, {helpers!r})
    from logged import Logged
    from sklearn.model_selection import GroupKFold
    from soft_labels import make_votes

    from hmsklearn.ensemble import StackingKLClassifier

    class Mine(Logged):
        "A classifier of the script, which no other process can import."

    if __name__ == "__main__":
        X, Y, PATIENT = make_votes(n_rows=90, n_patients=9)
        members = [(str(k), Mine(random_state=k, log={log!r})) for k in (1, 2)]
        stack = StackingKLClassifier(
            members, cv=GroupKFold(3), memory={folder!r}, random_state=0,
            refit={refit}, n_jobs=int(sys.argv[1]),
        )
        stack.fit(X, Y, groups=PATIENT)
        print(repr(stack.kl_), stack.predict_proba(X[:1]).tolist())
"""


@pytest.mark.slow
@pytest.mark.parametrize(("first", "refit"), [("2", True), ("2", False), ("1", True)])
def test_a_class_of_a_script(first, refit, log, folder, tmp_path):
    """Workers know it by value only: the process that runs the script keeps it."""
    path = tmp_path / "script.py"
    path.write_text(
        textwrap.dedent(OWN_CLASS).format(
            helpers=str(HELPERS), log=log, folder=str(folder), refit=refit
        )
    )
    runs = []
    for n_jobs in (first, "2"):
        command = [sys.executable, "-W", "error::UserWarning", str(path), n_jobs]
        run = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert run.returncode == 0, run.stderr
        assert count_fits(log) == len(list(folder.rglob("*.joblib"))) == 2 * (3 + refit)
        runs.append(run.stdout)
    assert runs[0] == runs[1]


def test_a_fold_is_kept_as_soon_as_it_is_there():
    """A fold that another one overtakes is on disk before that one has finished."""
    seen = []
    with joblib.parallel_config(backend="threading"):
        running = in_parallel(
            _wait, [(0.5,), (0.0,)], n_jobs=2, arrived=lambda *pair: seen.append(pair)
        )
        assert list(running) == [0.5, 0.0]
    assert seen == [(1, 0.0), (0, 0.5)]


def _wait(seconds):
    time.sleep(seconds)
    return seconds


def test_a_class_that_no_process_finds_by_name_is_told(tmp_path):
    class Local:
        pass

    record = DiskRecord(tmp_path, "key", "test")
    assert record.save_if_known([Local()]) is False
    with pytest.warns(UserWarning, match="test: this fit cannot be kept .*module"):
        record.save([Local()])
    assert list(tmp_path.iterdir()) == []
