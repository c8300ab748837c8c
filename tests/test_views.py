"""WindowViews: several arrays as one X, with scikit-learn and within the package."""

import operator
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing, check_array, indexable, resample, shuffle
from sklearn.utils.validation import check_consistent_length
from skorch.helper import SliceDict

from hmsklearn.ensemble import StackingKLClassifier
from hmsklearn.model_selection import oof_predict_proba
from hmsklearn.views import WindowViews

# The classifiers that the tests share; workers of joblib inherit sys.path.
sys.path.insert(0, str(Path(__file__).parent / "helpers"))

from soft_labels import SoftLogistic, make_votes

N = 12


@pytest.fixture
def arrays(rng):
    return {
        "eeg": rng.normal(size=(N, 3, 20)).astype(np.float32),
        "image": rng.normal(size=(N, 2, 4, 5)).astype(np.float16),
        "rows": pd.DataFrame({"id": np.arange(N)}, index=np.arange(N)[::-1] * 3),
        "tensor": torch.arange(N * 2.0).reshape(N, 2),
    }


@pytest.fixture
def views(arrays):
    return WindowViews(arrays)


def test_is_a_mapping_that_counts_windows(views, arrays):
    assert len(views) == N
    assert views.shape == (N,)
    assert list(views) == list(arrays) == list(views.keys())
    assert len(views.keys()) == len(views.values()) == len(views.items()) == 4
    assert "eeg" in views
    assert "egg" not in views
    for name, array in arrays.items():
        assert views[name] is array
    assert views.get("egg") is None
    assert dict(views).keys() == arrays.keys()
    assert {**views}["eeg"] is arrays["eeg"]


PICKS = {
    "slice": slice(2, 9, 3),
    "negative slice": slice(-3, None),
    "backwards": slice(None, None, -2),
    "nothing": slice(3, 3),
    "list": [5, 0, 5, -1],
    "empty list": [],
    "array": np.array([7, 2, -12]),
    "unsigned": np.array([7, 2], dtype=np.uint8),
    "mask": np.arange(N) % 3 == 1,
    "list of bool": [i > 8 for i in range(N)],
    "range": range(1, 5),
    "series": pd.Series([3, 4], index=[9, 8]),
    "tensor": torch.tensor([11, 1]),
}


@pytest.mark.parametrize("how", PICKS)
@pytest.mark.parametrize("ellipsis", [False, True])
def test_cut_like_arrays(views, arrays, how, ellipsis):
    key = PICKS[how]
    part = views[key, ...] if ellipsis else views[key]
    if how in ("mask", "list of bool"):
        chosen = np.flatnonzero(key)
    else:
        chosen = np.arange(N)[
            key if isinstance(key, slice) else np.array(list(key), int)
        ]
    assert type(part) is WindowViews
    assert len(part) == len(chosen)
    for name in ("eeg", "image"):
        np.testing.assert_array_equal(part[name], arrays[name][chosen])
        assert part[name].dtype == arrays[name].dtype
    assert part["rows"]["id"].tolist() == chosen.tolist()
    assert part["rows"].index.tolist() == arrays["rows"].index[chosen].tolist()
    assert part["tensor"].tolist() == arrays["tensor"][chosen.copy()].tolist()


def test_slices_share_memory_and_nothing_is_copied(views, arrays):
    assert np.shares_memory(views[2:5]["eeg"], arrays["eeg"])
    assert not np.shares_memory(views[[2, 3]]["eeg"], arrays["eeg"])


@pytest.mark.parametrize("key", [3, np.int64(3), np.array(3)])
def test_a_single_window_is_refused(views, key):
    with pytest.raises(TypeError, match=r"WindowViews: the number 3 .* \[3:4\]"):
        views[key]


@pytest.mark.parametrize(
    "key", [None, 2.0, [1.5], [[0, 1]], ["eeg"], (slice(2), 0), Ellipsis, [None]]
)
def test_keys_that_pick_nothing(views, key):
    with pytest.raises(TypeError, match="picks no windows"):
        views[key]


def test_keys_out_of_range(views):
    with pytest.raises(IndexError, match=r"no window 12, only 0 \.\. 11"):
        views[[0, 12]]
    with pytest.raises(IndexError, match="no window -13"):
        views[[-13]]
    with pytest.raises(IndexError, match="mask has 5 entries for 12 windows"):
        views[np.ones(5, bool)]
    with pytest.raises(KeyError, match=r"no view 'ege'. Did you mean 'eeg'\?"):
        views["ege"]


def test_what_cannot_be_views(arrays):
    eeg = arrays["eeg"]
    with pytest.raises(
        ValueError, match=r"WindowViews: .* numbers of windows: a 12, b 11\."
    ):
        WindowViews(a=eeg, b=eeg[1:])
    for nothing in ({}, None):
        with pytest.raises(ValueError, match="there are no views"):
            WindowViews(nothing)
    for no_names in ([eeg, eeg], eeg, "eeg"):
        with pytest.raises(TypeError, match="mapping of names to arrays"):
            WindowViews(no_names)
    for name in (1, ""):
        with pytest.raises(TypeError, match="name of a view must be text"):
            WindowViews({name: eeg})
    with pytest.raises(ValueError, match=r"\['a'\] are given twice"):
        WindowViews({"a": eeg}, a=eeg)
    with pytest.raises(ValueError, match="view 'a' is a single number"):
        WindowViews(a=np.float32(3))
    with pytest.raises(ValueError, match="view 'a' is a WindowViews, which holds"):
        WindowViews(a=WindowViews(b=eeg))
    for thing in (3, "text", None):
        with pytest.raises(ValueError, match=r"view 'a' is a .*, not an array"):
            WindowViews(a=thing)
    with pytest.raises(ValueError, match="view 'a' makes no array"):
        WindowViews(a=[[1, 2], [3]])


def test_made_of_other_containers(arrays):
    eeg, image = arrays["eeg"], arrays["image"]
    theirs = SliceDict(eeg=eeg, image=image)
    mine = WindowViews(theirs, more=[[0.5]] * N)
    assert mine["eeg"] is eeg
    assert isinstance(mine["more"], np.ndarray)
    assert list(WindowViews({"eeg": mine["eeg"]})) == ["eeg"]
    again = SliceDict(**WindowViews(theirs))
    assert again["image"] is image


def test_cannot_be_changed(views):
    with pytest.raises(TypeError):
        views["eeg"] = np.zeros(N)
    with pytest.raises(TypeError):
        del views["eeg"]
    with pytest.raises(AttributeError):
        views.shape = (3,)


def test_is_no_array(views):
    for call in (np.asarray, check_array):
        with pytest.raises(TypeError, match=r"WindowViews: .*make no single array"):
            call(views)


def test_compares_by_identity(views):
    assert views == views
    assert views != WindowViews(views)
    assert len({views, WindowViews(views)}) == 2


def test_repr(views):
    assert repr(views[:5]) == (
        "WindowViews of 5 windows: eeg (3, 20) float32, image (2, 4, 5) float16, "
        "rows (1,) DataFrame, tensor (2,) float32"
    )


def test_memory_maps(tmp_path, rng):
    np.save(tmp_path / "x.npy", rng.normal(size=(N, 2, 5)).astype(np.float16))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    views = WindowViews(eeg=mapped)
    assert views["eeg"] is mapped
    assert isinstance(views[3:6]["eeg"], np.memmap)
    np.testing.assert_array_equal(views[[1, 0]]["eeg"], mapped[[1, 0]])


def test_pickled_and_dumped(views, tmp_path):
    joblib.dump(views, tmp_path / "views.joblib")
    copies = [
        pickle.loads(pickle.dumps(views)),
        joblib.load(tmp_path / "views.joblib"),
        joblib.load(tmp_path / "views.joblib", mmap_mode="r"),
    ]
    assert isinstance(copies[2]["eeg"], np.memmap)
    for copy in copies:
        assert len(copy) == N
        np.testing.assert_array_equal(copy[[1, 2]]["eeg"], views["eeg"][[1, 2]])
        assert copy["rows"].equals(views["rows"])
        assert torch.equal(copy["tensor"], views["tensor"])


def test_hashed_by_content(arrays):
    """What a Pipeline with memory looks at."""
    del arrays["tensor"]  # of which joblib hashes more than the values
    views, again = WindowViews(arrays), WindowViews(arrays)[np.arange(N)]
    assert joblib.hash(views) == joblib.hash(again)
    assert joblib.hash(views) != joblib.hash(views[::2])


# With scikit-learn --------------------------------------------------------------------


def test_scikit_learns_tools(views, arrays):
    for key in ([3, 1], np.array([3, 1]), slice(0, 2), np.arange(N) < 2):
        part = _safe_indexing(views, key)
        assert type(part) is WindowViews
        np.testing.assert_array_equal(part["eeg"], arrays["eeg"][key])
    y = np.arange(N)
    check_consistent_length(views, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        check_consistent_length(views, y[1:])
    assert indexable(views, y)[0] is views
    train, test, _, y_test = train_test_split(views, y, test_size=3, random_state=0)
    assert (len(train), len(test)) == (9, 3)
    assert test["rows"]["id"].tolist() == y_test.tolist()
    for result, order in (
        shuffle(views, y, random_state=0),
        resample(views, y, random_state=0),
    ):
        assert result["rows"]["id"].tolist() == order.tolist()


def test_group_k_fold(views):
    groups = np.arange(N) // 3
    tested = [
        test
        for train, test in GroupKFold(4).split(views, groups=groups)
        if not set(groups[train]) & set(groups[test])
    ]
    assert sorted(np.concatenate(tested)) == list(range(N))


class TwoBranches(ClassifierMixin, BaseEstimator):
    """Logistic regression on two views side by side."""

    def __init__(self, C=1.0, template=None):
        self.C = C
        self.template = template

    def _table(self, X):
        assert type(X) is WindowViews
        return np.concatenate([X["left"], X["right"].mean(axis=2)], axis=1)

    def fit(self, X, y):
        self.model_ = LogisticRegression(C=self.C).fit(self._table(X), y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(self._table(X))


@pytest.fixture
def labelled(rng):
    y = np.arange(60) % 3
    left = rng.normal(size=(60, 2)) + y[:, None]
    right = np.repeat(rng.normal(size=(60, 2, 1)) - y[:, None, None], 4, axis=2)
    return WindowViews(left=left, right=right), y, np.arange(60) // 5


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_cross_val_score(labelled, n_jobs):
    X, y, groups = labelled
    table = np.concatenate([X["left"], X["right"].mean(axis=2)], axis=1)
    cv = GroupKFold(4)
    expected = cross_val_score(LogisticRegression(), table, y, groups=groups, cv=cv)
    pipe = make_pipeline(FunctionTransformer(), TwoBranches())
    actual = cross_val_score(pipe, X, y, groups=groups, cv=cv, n_jobs=n_jobs)
    np.testing.assert_array_equal(actual, expected)
    assert expected.mean() > 0.7


def test_grid_search_and_clone(labelled):
    X, y, groups = labelled
    search = GridSearchCV(TwoBranches(), {"C": [0.01, 1.0]}, cv=GroupKFold(3))
    with config_context(enable_metadata_routing=False):
        search.fit(X, y, groups=groups)
    assert search.best_estimator_.predict(X).shape == (60,)
    copy = clone(TwoBranches(template=X[:3])).template
    assert copy is not X
    np.testing.assert_array_equal(copy["left"], X["left"][:3])


# With this package --------------------------------------------------------------------


def member(name):
    return make_pipeline(FunctionTransformer(operator.itemgetter(name)), SoftLogistic())


def test_out_of_fold_predictions():
    X, y, groups = make_votes(n_rows=80, n_patients=10)
    views = WindowViews(left=X, right=np.zeros((80, 2, 3)))
    expected = oof_predict_proba(SoftLogistic(), X, y, groups=groups)
    for n_jobs in (None, 2):
        actual = oof_predict_proba(
            member("left"), views, y, groups=groups, n_jobs=n_jobs
        )
        np.testing.assert_array_equal(actual, expected)
    with pytest.raises(
        TypeError, match=r"plain dict.*hmsklearn\.views\.WindowViews\(X\)"
    ):
        oof_predict_proba(member("left"), dict(views), y, groups=groups)


def test_patients_are_found_in_a_view_of_rows():
    X, y, groups = make_votes(n_rows=80, n_patients=10)
    rows = pd.DataFrame({"patient_id": groups})
    views = WindowViews(left=X, rows=rows)
    expected = oof_predict_proba(SoftLogistic(), X, y, groups=groups)
    actual = oof_predict_proba(member("left"), views, y)
    np.testing.assert_array_equal(actual, expected)
    without = oof_predict_proba(SoftLogistic(), X, y)
    assert not np.array_equal(without, expected)


def test_stacking():
    X, y, groups = make_votes(n_rows=80, n_patients=10)
    views = WindowViews(left=X[:, :2], right=X[:, 2:])
    members = [(name, member(name)) for name in views]
    stack = StackingKLClassifier(members, cv=GroupKFold(4), store_oof=True)
    stack.fit(views, y, groups=groups)
    for i, name in enumerate(views):
        expected = oof_predict_proba(
            SoftLogistic(), views[name], y, groups=groups, cv=GroupKFold(4)
        )
        np.testing.assert_array_equal(stack.oof_[:, i], expected)
    assert stack.predict_proba(views[3:5]).shape == (2, 6)


def test_importing_is_light():
    code = "import sys, hmsklearn.views; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not set(run.stdout.split()) & {
        "torch",
        "sklearn",
        "pandas",
        "scipy",
        "skorch",
    }
