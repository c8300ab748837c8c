"""Each check is shown an estimator with the one fault that it is there to find."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.utils import estimator_checks as sklearn_checks
from sklearn.utils import metadata_routing

from hmsklearn._base import BaseSignalTransformer
from hmsklearn.testing import (
    ChannelPowerClassifier,
    CheckData,
    check_signal_estimator,
    make_check_data,
)
from hmsklearn.votes import check_votes

# --------------------------------------------------------------- sound estimators


class Gain(BaseSignalTransformer, auto_wrap_output_keys=None):
    def __init__(self, gain=2.0):
        self.gain = gain

    def fit_transform(self, X, y=None):
        # The base class has a shortcut that would step around a fault in fit.
        return self.fit(X, y).transform(X)

    def _transform(self, X):
        return X * self.gain


class ToyReader(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Rows with a column "level" become constant windows."""

    def __init__(self, n_times=4):
        self.n_times = n_times

    def _levels(self, X):
        if not isinstance(X, pd.DataFrame) or "level" not in X:
            raise ValueError("ToyReader: X must be a table with the column 'level'.")
        if len(X) == 0:
            raise ValueError("ToyReader: X has 0 rows.")
        return X["level"].to_numpy(np.float32)

    def fit(self, X, y=None):
        self._levels(X)
        return self

    def transform(self, X):
        levels = self._levels(X)
        return np.tile(levels[:, None, None], (1, 2, self.n_times))

    def get_feature_names_out(self, input_features=None):
        return np.array(["left", "right"], dtype=object)

    def set_output(self, *, transform=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


class MeanVotes(ClassifierMixin, BaseEstimator):
    """Predicts the mean vote, and never asks who is calling."""

    def fit(self, X, y):
        self.mean_ = check_votes(y, caller="MeanVotes").fractions.mean(axis=0)
        self.classes_ = np.arange(6)
        return self

    def predict_proba(self, X):
        return np.tile(self.mean_, (len(X), 1))


def toy_rows():
    arrays = make_check_data(n_windows=23)
    table = pd.DataFrame({"patient": arrays.groups, "level": np.linspace(0, 1, 23)})
    return CheckData("rows", table, arrays.votes, arrays.groups)


# -------------------------------------------------------------- broken estimators


class InitConverts(Gain):
    def __init__(self, gain=2.0):
        self.gain = float(gain)


class InitAddsState(Gain):
    def __init__(self, gain=2.0):
        self.gain = gain
        self.ready = True


class MutableDefault(Gain):
    def __init__(self, gain=2.0, bands=[1, 2]):  # noqa: B006
        self.gain = gain
        self.bands = bands


class SetParamsConverts(Gain):
    def set_params(self, **params):
        return super().set_params(**{key: str(value) for key, value in params.items()})


class FitReturnsNone(Gain):
    def fit(self, X, y=None):
        super().fit(X)


class FitChangesParam(Gain):
    def fit(self, X, y=None):
        self.gain = 3.0
        return super().fit(X)


class FittedWithoutUnderscore(Gain):
    def fit(self, X, y=None):
        self.seen = len(X)
        return super().fit(X)


class CountsCalls(Gain):
    def fit(self, X, y=None):
        self.calls_ = 0
        return super().fit(X)

    def transform(self, X):
        self.calls_ += 1
        return super().transform(X)


class StatelessByTagOnly(Gain):
    def _fit(self, X):
        self.gain_ = self.gain

    def transform(self, X):
        return X * X.dtype.type(self.gain_)


class UnfittedAttributeError(ChannelPowerClassifier):
    def predict_proba(self, X):
        return np.tile(self.intercept_, (len(X), 1))


class Nameless(Gain):
    def __repr__(self, N_CHAR_MAX=700):
        return "an estimator"


class GainByTarget(Gain):
    def fit(self, X, y=None):
        self.gain_ = 1.0 if y is None else 2.0
        return super().fit(X)

    def _transform(self, X):
        return X * X.dtype.type(getattr(self, "gain_", 1.0))


class ValidatesTarget(Gain):
    def fit(self, X, y=None):
        if y is not None and np.ndim(y) != 1:
            raise ValueError("y should be a 1d array")
        return super().fit(X)


class WeightsNotRequested(ChannelPowerClassifier):
    def get_metadata_routing(self):
        return metadata_routing.MetadataRequest(owner=type(self).__name__)


class CountsTimes(Gain):
    def fit(self, X, y=None):
        super().fit(X)
        self.n_features_in_ = np.asarray(X).shape[2]
        return self

    def transform(self, X):
        return X * X.dtype.type(self.gain)


class WritesInput(Gain):
    def transform(self, X):
        X *= 2
        return X.copy()


class WritesInputInFit(Gain):
    def fit(self, X, y=None):
        X -= X.mean(axis=2, keepdims=True)
        return super().fit(X)


class WritesVotes(ChannelPowerClassifier):
    def fit(self, X, y, sample_weight=None):
        y[0] = 1
        return super().fit(X, y, sample_weight)


class Trusting(Gain):
    """Checks nothing."""

    def fit(self, X, y=None):
        self.n_features_in_ = 4
        return self

    def transform(self, X):
        return X * 2


class RefusesMemmap(Gain):
    def fit(self, X, y=None):
        if isinstance(X, np.memmap):
            raise TypeError("arrays only")
        return super().fit(X)


class MemoryOrder(Gain):
    def transform(self, X):
        return super().transform(X.ravel(order="K").reshape(X.shape))


class IntegersToDouble(Gain):
    def transform(self, X):
        return super().transform(X if X.dtype.kind == "f" else X.astype(np.float64))


class SpreadsNaN(Gain):
    _allow_nan = True

    def transform(self, X):
        return super().transform(X) - X.mean()


class RaisesKeyError(ToyReader):
    def _levels(self, X):
        return X["level"].to_numpy(np.float32)


class ReadsByIndex(ToyReader):
    def transform(self, X):
        return super().transform(X) + np.float32(X.index[0])


class DoubleReader(ToyReader):
    def transform(self, X):
        return super().transform(X).astype(np.float64)


class BatchMean(Gain):
    def transform(self, X):
        return super().transform(X) - X.mean(axis=0)


class CountsWindows(Gain):
    def transform(self, X):
        return super().transform(X) * np.arange(len(X), dtype=X.dtype)[:, None, None]


class Squeezes(Gain):
    def transform(self, X):
        return super().transform(X).squeeze()


class ForgetsGain(Gain):
    def fit(self, X, y=None):
        self.gain_ = 5.0
        return super().fit(X)

    def _transform(self, X):
        return X * X.dtype.type(getattr(self, "gain_", 1.0))

    def __getstate__(self):
        return {k: v for k, v in super().__getstate__().items() if k != "gain_"}


class GrowsWithEveryFit(Gain):
    def fit(self, X, y=None):
        self.gain_ = getattr(self, "gain_", 1.0) + 1.0
        return super().fit(X)

    def transform(self, X):
        return X * X.dtype.type(self.gain_)


class FirstFitWins(Gain):
    def fit(self, X, y=None):
        if not hasattr(self, "offset_"):
            self.offset_ = X.mean()
        return super().fit(X)

    def transform(self, X):
        return super().transform(X) + self.offset_


class GlobalNoise(Gain):
    def fit(self, X, y=None):
        self.noise_ = np.random.rand()  # noqa: NPY002
        return super().fit(X)

    def transform(self, X):
        return super().transform(X) + X.dtype.type(self.noise_)


class SeedsGlobally(Gain):
    def fit(self, X, y=None):
        np.random.seed(0)  # noqa: NPY002
        return super().fit(X)


class SeedsTorch(Gain):
    def fit(self, X, y=None):
        import torch

        torch.manual_seed(0)
        return super().fit(X)


class Keeps(Gain):
    """Keeps the training data in the way that `how` says."""

    def __init__(self, how="X"):
        self.how = how

    def _transform(self, X):
        return X * 2

    def fit(self, X, y=None):
        self.kept_ = {
            "X": lambda: X,
            "view": lambda: {"first": [X[:1]]},
            "copy": lambda: X.copy(),
            "row for each window": lambda: X.mean(axis=(1, 2)),
            "list": lambda: X.mean(axis=(1, 2)).tolist(),
            "partial": lambda: partial(np.dot, X),
            "bytes": lambda: X.astype(np.float16).tobytes(),
        }[self.how]()
        return super().fit(X)


class Upcasts(Gain):
    def transform(self, X):
        return super().transform(X).astype(np.float64)


class TensorsToArrays(Gain):
    def _transform(self, X):
        return np.asarray(X) * self.gain


class TensorsOtherwise(Gain):
    def _transform(self, X):
        return X * self.gain + isinstance(X, torch.Tensor)


class TakesAnyTensor(Gain):
    def transform(self, X):
        return X * self.gain if isinstance(X, torch.Tensor) else super().transform(X)


class ReturnsView(Gain):
    def transform(self, X):
        return X[..., 1:]


class TooManyNames(Gain):
    def _feature_names_out(self, names):
        return [*names, "extra"]


class SameNames(Gain):
    def _feature_names_out(self, names):
        return ["channel"] * len(names)


class SetOutputReturnsNone(Gain):
    def set_output(self, *, transform=None):
        return None


class OtherFitTransform(Gain):
    def fit_transform(self, X, y=None):
        return super().fit_transform(X) + 1


class ClassesFromData(ChannelPowerClassifier):
    def fit(self, X, y, sample_weight=None):
        super().fit(X, y, sample_weight)
        votes = check_votes(y).fractions.sum(axis=0) > 0
        self.classes_ = self.classes_[votes]
        return self


class IgnoresColumnNames(ChannelPowerClassifier):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, np.asarray(y), sample_weight)


class GivesLogits(ChannelPowerClassifier):
    def predict_proba(self, X):
        return np.log(super().predict_proba(X))


class ScoresAccuracy(ChannelPowerClassifier):
    def score(self, X, y, sample_weight=None):
        hard = self.classes_[check_votes(y).fractions.argmax(axis=1)]
        return float((self.predict(X) == hard).mean())


class RepairsVotes(ChannelPowerClassifier):
    def fit(self, X, y, sample_weight=None):
        if np.ndim(y) == 2:
            y = np.nan_to_num(np.asarray(y, dtype=float))
        return super().fit(X, y, sample_weight)


class IgnoresWeights(ChannelPowerClassifier):
    def fit(self, X, y, sample_weight=None):
        return super().fit(X, y)


ROWS = toy_rows()

# (check, estimator with the fault, what the failure must say, data)
BROKEN = [
    ("check_init_stores_params", InitConverts(), "looks at its arguments", None),
    ("check_init_stores_params", InitAddsState(), "ready", None),
    ("check_default_arguments", MutableDefault(), "mutable", None),
    ("check_params_round_trip", SetParamsConverts(), "set_params", None),
    ("check_fit_returns_self", FitReturnsNone(), "does not return self", None),
    ("check_fit_keeps_params", FitChangesParam(), "changes the parameter gain", None),
    ("check_fitted_names", FittedWithoutUnderscore(), "seen", None),
    ("check_methods_keep_state", CountsCalls(), "change calls_", None),
    ("check_unfitted", StatelessByTagOnly(), "gain_", None),
    ("check_unfitted", UnfittedAttributeError(), "not NotFittedError", None),
    ("check_html_repr", Nameless(), "does not name the class", None),
    ("check_pipeline", GainByTarget(), "differs in a Pipeline", None),
    ("check_metadata_requests", WeightsNotRequested(), "sample_weight", None),
    ("check_n_features_in", CountsTimes(), "n_features_in_ is 200", None),
    ("check_input_not_written", WritesInput(), "writes into X", None),
    ("check_input_not_written", WritesInputInFit(), "writes into X", None),
    ("check_input_not_written", WritesVotes(), "writes into y", None),
    ("check_no_windows", Trusting(), "nothing was raised", None),
    ("check_read_only_input", WritesInput(), "read-only|output array", None),
    ("check_memmap_input", RefusesMemmap(), "arrays only", None),
    ("check_memory_layout", MemoryOrder(), "Fortran", None),
    ("check_integer_input", IntegersToDouble(), "float64, not float32", None),
    ("check_nan_policy", Trusting(), "NaN in X: nothing was raised", None),
    ("check_nan_policy", SpreadsNaN(), "changes the others|different places", None),
    ("check_infinity", Trusting(), "nothing was raised", None),
    ("check_wrong_ndim", Trusting(), "nothing was raised", None),
    ("check_wrong_channels", Trusting(), "nothing was raised", None),
    ("check_not_numbers", Trusting(), "nothing was raised|name the estimator", None),
    ("check_sparse", Trusting(), "nothing was raised", None),
    ("check_rows_refused", RaisesKeyError(), "KeyError|IndexError", ROWS),
    ("check_row_labels", ReadsByIndex(), "index or order", ROWS),
    ("check_output_dtype", DoubleReader(), "float64", ROWS),
    ("check_batch_invariance", BatchMean(), "in batches of 1", None),
    ("check_order_invariance", CountsWindows(), "order of windows", None),
    ("check_single_window", Squeezes(), "length 4", None),
    ("check_copies", ForgetsGain(), "differs after pickle", None),
    ("check_fit_idempotent", GrowsWithEveryFit(), "fitting twice", None),
    ("check_refit_overwrites", FirstFitWins(), "leaves traces", None),
    ("check_seed", GlobalNoise(), "one seed differ", None),
    ("check_global_random_state", SeedsGlobally(), "numpy.random", None),
    ("check_global_random_state", SeedsTorch(), "torch", None),
    ("check_no_data_kept", Keeps("X"), r"kept_ is the training data \(X\)", None),
    ("check_no_data_kept", Keeps("view"), r"kept_\['first'\]\[0\]", None),
    ("check_no_data_kept", Keeps("copy"), "entry for each training window", None),
    ("check_no_data_kept", Keeps("row for each window"), "one entry for each", None),
    ("check_no_data_kept", Keeps("list"), "one entry for each", None),
    ("check_no_data_kept", Keeps("partial"), "is the training data", None),
    ("check_no_data_kept", Keeps("bytes"), "bytes to the pickle", None),
    ("check_dtype_kept", Upcasts(), "turns float32 into float64", None),
    ("check_output_is_new", ReturnsView(), "view of X", None),
    ("check_tensors", TensorsToArrays(), "gives no tensor", None),
    ("check_tensors", TensorsOtherwise(), "disagrees with arrays", None),
    ("check_tensors_refused", TakesAnyTensor(), "half precision", None),
    ("check_y_ignored", GainByTarget(), "y .* matters", None),
    ("check_y_ignored", ValidatesTarget(), "looks at y", None),
    ("check_feature_names_out", TooManyNames(), "5 names for 4", None),
    ("check_feature_names_out", SameNames(), "repeat", None),
    ("check_set_output", SetOutputReturnsNone(), "does not return self", None),
    ("check_fit_transform", OtherFitTransform(), "fit_transform differs", None),
    ("check_classes", ClassesFromData(), "missing from classes_", None),
    ("check_vote_forms", IgnoresColumnNames(), "another order", None),
    ("check_probabilities", GivesLogits(), "negative", None),
    ("check_score", ScoresAccuracy(), "not the negative KL", None),
    ("check_wrong_votes", RepairsVotes(), "NaN in y", None),
    ("check_encoded_votes_refused", MeanVotes(), "unnoticed", None),
    ("check_cross_val_score", GivesLogits(), "y_pred", None),
    ("check_sample_weight", IgnoresWeights(), "ignored", None),
]


def run_check(name, estimator, data):
    pairs = check_signal_estimator(estimator, data=data, generate_only=True)
    checks = {getattr(c, "__name__", ""): c for _, c in pairs}
    checks[name](estimator)


@pytest.mark.parametrize(
    ("check", "estimator", "match", "data"),
    [
        pytest.param(*case, id=f"{case[0]}-{type(case[1]).__name__}-{i}")
        for i, case in enumerate(BROKEN)
    ],
)
def test_check_finds_its_fault(check, estimator, match, data):
    with pytest.raises(Exception, match=match):
        run_check(check, estimator, data)


SOUND = [
    pytest.param(Gain(), None, id="transformer"),
    pytest.param(ToyReader(), ROWS, id="reader"),
    pytest.param(ChannelPowerClassifier(), None, id="classifier"),
    pytest.param(
        ChannelPowerClassifier(), make_check_data("images"), id="image classifier"
    ),
]


@pytest.mark.parametrize(("estimator", "data"), SOUND)
def test_sound_estimators_pass(estimator, data):
    results = check_signal_estimator(estimator, data=data)
    assert {result["status"] for result in results} == {"passed"}


def test_every_check_has_a_fault_to_find():
    every = set()
    for case in SOUND:
        estimator, data = case.values
        for _, check in check_signal_estimator(
            estimator, data=data, generate_only=True
        ):
            if not isinstance(check, partial):
                every.add(check.__name__)
            else:  # scikit-learn's own
                assert check.func.__module__ == sklearn_checks.__name__
    assert every == {check for check, *_ in BROKEN}
