"""Names of fits: the same for the same thing in any process, else another."""

import copy
import functools
import os
import subprocess
import sys
import textwrap
import types

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from hmsklearn.ensemble._fold_key import digest_data, digest_estimator, join_digests
from hmsklearn.neural import WaveformClassifier
from hmsklearn.views import WindowViews

ARRAY = np.arange(24.0).reshape(6, 4)


def differing(*values):
    digests = [digest_data(value) for value in values]
    assert len(set(digests)) == len(values)


# Data --------------------------------------------------------------------------------


@given(hnp.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 4))))
@settings(deadline=None, max_examples=40)
def test_arrays_by_value(array):
    assert digest_data(array) == digest_data(array.copy())
    assert digest_data(array) == digest_data(np.asfortranarray(array))
    other = array.copy()
    other.flat[-1] = 1.0 if other.flat[-1] != 1.0 else 2.0
    assert digest_data(other) != digest_data(array)


def test_arrays_of_other_shapes_and_types():
    differing(
        ARRAY,
        ARRAY.T,
        ARRAY.ravel(),
        ARRAY.astype(np.float32),
        ARRAY[::-1],
        ARRAY.tolist(),
        ARRAY[:0],
    )
    assert digest_data(ARRAY[::2]) == digest_data(ARRAY[::2].copy())


def test_strings_and_objects():
    words = np.array(["a", "b"], dtype=object)
    assert digest_data(words) == digest_data(np.array(["a", "b"], dtype=object))
    differing(words, np.array(["a", "c"], dtype=object), np.array(["a", "b"]), ["ab"])
    differing(["a", "bc"], ["ab", "c"], [["a"], "bc"])
    differing(1, 1.0, True, "1", b"1", None)


def test_frames():
    frame = pd.DataFrame({"x": [1, 2], "y": ["a", None]})
    assert digest_data(frame) == digest_data(frame.copy())
    named = frame.copy()
    named.attrs["root"] = "elsewhere"
    differing(
        frame,
        named,
        frame.rename(columns={"x": "z"}),
        frame.set_index([[5, 6]]),
        frame.assign(x=[1, 3]),
        frame.assign(x=[1.0, 2.0]),
        frame[["y", "x"]],
        frame["x"],
        frame.to_numpy(),
    )
    cells = pd.DataFrame({"x": [[1, 2], [3]]})
    differing(cells, pd.DataFrame({"x": [[1, 2], [4]]}))


def test_views_tensors_and_sparse_tables():
    views = WindowViews(eeg=ARRAY, age=np.arange(6))
    assert digest_data(views) == digest_data(WindowViews(eeg=ARRAY, age=np.arange(6)))
    differing(
        views,
        WindowViews(eeg=ARRAY, age=np.ones(6)),
        WindowViews(eeg=ARRAY),
        {"eeg": ARRAY, "age": np.arange(6)},
    )
    differing(torch.zeros(3), torch.ones(3), torch.zeros(3, dtype=torch.float64))
    first = scipy.sparse.csr_matrix(ARRAY)
    assert digest_data(first) == digest_data(scipy.sparse.csr_matrix(ARRAY))
    differing(first, scipy.sparse.csr_matrix(2 * ARRAY))


def test_memory_maps(tmp_path):
    path = tmp_path / "x.npy"
    big = np.random.default_rng(0).normal(size=(500, 3))
    np.save(path, big)
    one, other = (np.load(path, mmap_mode="r") for _ in range(2))
    assert digest_data(one) == digest_data(other)
    differing(one, one[1:], one[:-1], one[::2])
    # A row that is not looked at has changed: the time of the file tells.
    before = digest_data(one)
    big[1] = 0
    np.save(path, big)
    assert digest_data(np.load(path, mmap_mode="r")) != before


def test_generators_by_state():
    differing(
        np.random.RandomState(0),
        np.random.RandomState(1),
        np.random.default_rng(0),
        np.random.default_rng(1),
    )
    assert digest_data(np.random.RandomState(0)) == digest_data(
        np.random.RandomState(0)
    )


def test_what_holds_itself():
    first, second = [1], [2]
    first.append(first)
    second.append(second)
    differing(first, second)


# Estimators --------------------------------------------------------------------------


def digests(*estimators):
    return [digest_estimator(each) for each in estimators]


def test_parameters_and_classes():
    plain = make_pipeline(StandardScaler(), LogisticRegression())
    same = make_pipeline(StandardScaler(), LogisticRegression())
    assert digest_estimator(plain) == digest_estimator(same)
    with sklearn.config_context(enable_metadata_routing=True):
        asking = LogisticRegression().set_fit_request(sample_weight=True)
    found = digests(
        plain,
        make_pipeline(StandardScaler(), LogisticRegression(C=2)),
        make_pipeline(StandardScaler(with_mean=False), LogisticRegression()),
        LogisticRegression(),
        DummyClassifier(),
        asking,
    )
    assert len(set(found)) == len(found)


def test_what_an_earlier_fit_left_does_not_count():
    clf = LogisticRegression()
    before = digest_estimator(clf)
    clf.fit(ARRAY, [0, 1] * 3)
    assert digest_estimator(clf) == before
    # But a frozen one is what it has learned.
    frozen = digests(
        FrozenEstimator(clf),
        FrozenEstimator(LogisticRegression().fit(-ARRAY, [0, 0, 1] * 2)),
    )
    assert frozen[0] != frozen[1]


def scaled(X, by=2.0):
    return X * by


def test_functions_by_what_they_do():
    def maker(factor):
        return lambda X: X * factor

    functions = [
        maker(1),
        maker(2),
        lambda X: X + 1,
        lambda X: X + 2,
        scaled,
        functools.partial(scaled, by=3.0),
        functools.partial(scaled, by=4.0),
        np.abs,
        np.sqrt,
    ]
    found = digests(*(FunctionTransformer(function) for function in functions))
    assert len(set(found)) == len(found)
    again = digests(FunctionTransformer(maker(1)), FunctionTransformer(maker(2)))
    assert again == found[:2]


def classes_from(body):
    names = {"__name__": "script", "LogisticRegression": LogisticRegression}
    exec(textwrap.dedent(body), names)
    return names["Mine"]()


def test_edited_classes_of_a_script():
    text = """
        class Mine(LogisticRegression):
            '''Doc.'''
            def fit(self, X, y):
                return super().fit(X * {factor}, y)
    """
    one = digest_estimator(classes_from(text.format(factor=2)))
    assert one == digest_estimator(classes_from(text.format(factor=2)))
    assert one == digest_estimator(
        classes_from(text.format(factor=2).replace("Doc", "Described"))
    )
    assert one != digest_estimator(classes_from(text.format(factor=3)))


SCRIPT = """
    from sklearn.base import BaseEstimator
    from helpers_of_a_script import shift
    import helpers_of_a_script as helpers

    FACTORS = {{"a": {table}}}

    def outer(x):
        return x * {nested}

    class Part:
        def act(self, x):
            return x - {other_class}

    class Mine(BaseEstimator):
        steps = [{attribute}]

        @staticmethod
        def fixed(x):
            return x + {static}

        @classmethod
        def made(cls):
            return {made}

        @property
        def width(self):
            return {width}

        def fit(self, X, y):
            self.X_ = [outer(x) for x in X], Part().act(X), FACTORS
            return shift(self.X_) + helpers.scale(X)
"""
HELPERS = """
    def shift(x):
        return x + {imported}

    def scale(x):
        return x * {reached}
"""
PLACES = [
    "table",
    "nested",
    "other_class",
    "attribute",
    "static",
    "made",
    "width",
    "imported",
    "reached",
]


def digest_of_script(monkeypatch, **changed):
    numbers = {**dict.fromkeys(PLACES, 1), **changed}
    helpers = types.ModuleType("helpers_of_a_script")
    exec(textwrap.dedent(HELPERS).format(**numbers), vars(helpers))
    monkeypatch.setitem(sys.modules, helpers.__name__, helpers)
    names = {"__name__": "script"}
    exec(textwrap.dedent(SCRIPT).format(**numbers), names)
    return digest_estimator(names["Mine"]())


@pytest.mark.parametrize("place", PLACES)
def test_an_edit_anywhere_in_ones_own_code(place, monkeypatch):
    """Of an estimator without parameters, whose class is all there is to tell."""
    before = digest_of_script(monkeypatch)
    assert digest_of_script(monkeypatch) == before
    assert digest_of_script(monkeypatch, **{place: 2}) != before


def test_a_script_counts_with_its_code_whatever_version_it_tells(monkeypatch):
    def edited(number):
        names = {"__name__": "__main__"}
        body = f"""
            from sklearn.base import BaseEstimator
            class Mine(BaseEstimator):
                def fit(self, X, y):
                    return {number}
        """
        exec(textwrap.dedent(body), names)
        return digest_estimator(names["Mine"]())

    monkeypatch.setattr(sys.modules["__main__"], "__version__", "1", raising=False)
    assert edited(1) == edited(1) != edited(2)


def test_a_copy_leaves_the_name_alone():
    """Python writes into a class that is copied."""
    mine = classes_from("class Mine(LogisticRegression): pass")
    before = digest_estimator(mine)
    copy.deepcopy(mine)
    assert "__slotnames__" in vars(type(mine))
    assert digest_estimator(mine) == before


def test_code_that_calls_itself():
    names = {"__name__": "script"}
    body = """
        def even(n):
            return n == 0 or odd(n - 1)
        def odd(n):
            return n != 0 and even(n - 1)
    """
    exec(textwrap.dedent(body), names)
    found = digests(*(FunctionTransformer(names[name]) for name in ("even", "odd")))
    assert found[0] != found[1]


def test_networks():
    found = digests(
        WaveformClassifier(),
        WaveformClassifier(lr=0.5),
        WaveformClassifier(architecture_params={"width": 8}),
        WaveformClassifier(random_state=np.random.RandomState(0)),
        WaveformClassifier(random_state=np.random.RandomState(1)),
    )
    assert len(set(found)) == len(found)


def test_the_same_in_another_process():
    """Where texts have other hashes and objects other addresses."""
    code = """
        import numpy as np, pandas as pd
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import FunctionTransformer
        from hmsklearn.ensemble._fold_key import digest_data, digest_estimator
        frame = pd.DataFrame({"x": ["b", "a"], "y": [1.0, np.nan]}, index=["u", "v"])
        frame.attrs = {"root": "here", "names": {"c", "a", "b"}}
        print(digest_data(frame))
        print(digest_data([{"a", "b", "c"}, {"k": 1, "j": (2, "x")}, object]))
        print(digest_estimator(LogisticRegression(class_weight={"a": 1, "b": 2})))
        print(digest_estimator(FunctionTransformer(np.abs)))
        print(digest_data(np.random.RandomState(3)))
    """
    runs = [
        subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": each},
        ).stdout.split()
        for each in ("0", "77")
    ]
    assert len(runs[0]) == 5
    assert runs[0] == runs[1]


def test_parts_are_kept_apart():
    assert join_digests("a", "b") != join_digests("ab")
    assert join_digests("fold", np.array([1, 2]), np.array([3])) != join_digests(
        "fold", np.array([1]), np.array([2, 3])
    )
