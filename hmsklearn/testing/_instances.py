"""The registry: how each public estimator is built and fed for the checks.

One entry is one instance: small parameters, the kind and shape of its input, and the
checks it is known to fail, each with the reason. An estimator of the package that has
no entry makes the package's own tests fail.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sklearn.model_selection import KFold

import hmsklearn
from hmsklearn.testing._adapters import WeightedWindowAdapter, WindowAdapter
from hmsklearn.testing._adapters_other import RowsAdapter, StackAdapter
from hmsklearn.testing._data import CheckData, make_check_data
from hmsklearn.testing._helpers import accepts
from hmsklearn.testing._reference import ChannelPowerClassifier

__all__ = ["CASES", "CheckCase", "all_estimators", "find_case"]


@dataclass(frozen=True)
class CheckCase:
    """How one instance of a public estimator is checked.

    Attributes
    ----------
    path : str
        Room and class, such as ``"preprocessing.NaNImputer"``.
    params : callable
        Returns the parameters of the instance.
    kind : {"windows", "images", "probabilities", "rows"}
        What it takes.
    shape : tuple of int, optional
        Shape of one window.
    adapted_params : dict
        Parameters that differ behind the adapter, on scikit-learn's data.
    adapted_shape : tuple of int, optional
        Shape of one window behind the adapter, `shape` by default.
    expected : dict of str to str
        Checks of this package that fail, with reasons.
    adapted_expected : dict of str to str
        Checks of scikit-learn that fail through the adapter, with reasons.
    single_precision : bool
        Whether its sums are float32 and so depend, in the last bits, on how many
        windows are computed together. scikit-learn's checks of that allow 1e-7.
    """

    path: str
    params: Callable[[], dict[str, Any]] = dict
    kind: str = "windows"
    shape: tuple[int, ...] | None = (4, 200)
    adapted_params: dict[str, Any] = field(default_factory=dict)
    adapted_shape: tuple[int, ...] | None = None
    expected: dict[str, str] = field(default_factory=dict)
    adapted_expected: dict[str, str] = field(default_factory=dict)
    single_precision: bool = False

    @property
    def estimator_class(self) -> type:
        """The class."""
        room, name = self.path.rsplit(".", 1)
        return getattr(importlib.import_module(f"hmsklearn.{room}"), name)

    def make_estimator(self) -> Any:
        """Build the instance."""
        return self.estimator_class(**self.params())

    def make_data(self) -> CheckData:
        """Simulate its input."""
        return make_check_data(self.kind, shape=self.shape)

    def make_adapted(self) -> Any:
        """Build the instance inside the adapter that scikit-learn's checks need."""
        estimator = self.make_estimator().set_params(**self.adapted_params)
        if self.kind == "probabilities":
            return StackAdapter(estimator)
        if self.kind == "rows":
            return RowsAdapter(estimator)
        weighted = accepts(estimator, "sample_weight")
        adapter = WeightedWindowAdapter if weighted else WindowAdapter
        return adapter(estimator, shape=self.adapted_shape or self.shape or (4, 200))


_VOTES_ARE_COLUMNS = (
    "the columns of a 2-D y are the votes of one target, not several targets, and "
    "rows without any vote have none"
)
_CLASSES = {"classes": "infer"}
_WEIGHTS_ARE_NOT_COPIES = (
    "two copies of a window meet in other batches than one window of weight two, and "
    "take other steps of gradient descent"
)
# Enough for scikit-learn's demand of 83 % accuracy, for several seeds.
_TRAINED_IN_EARNEST = {**_CLASSES, "batch_size": 32, "lr": 0.03, "max_epochs": 4}
_TRAINED_BY_STEPS = {
    "check_classifier_multioutput": _VOTES_ARE_COLUMNS,
    "check_sample_weight_equivalence_on_dense_data": _WEIGHTS_ARE_NOT_COPIES,
}


def _tiny_net(**params: Any) -> Callable[[], dict[str, Any]]:
    """Parameters with which a network trains in hundredths of a second."""
    common = {"max_epochs": 2, "batch_size": 8, "lr": 0.01, "random_state": 0}
    return lambda: {**common, "device": "cpu", **params}


def _members() -> dict[str, Any]:
    return {
        "estimators": [
            ("weak", ChannelPowerClassifier(alpha=1.0)),
            ("strong", ChannelPowerClassifier(alpha=0.01)),
        ],
        "cv": 2,
    }


CASES: tuple[CheckCase, ...] = (
    CheckCase(
        "datasets.HMSReader",
        lambda: {"window_seconds": 2, "ch_names": ["Fp1", "O2"]},
        kind="rows",
        shape=None,
    ),
    CheckCase(
        "datasets.HMSReader",
        lambda: {"view": "spectrogram", "window_seconds": 20},
        kind="rows",
        shape=None,
    ),
    CheckCase("preprocessing.MontageTransformer", shape=(20, 100)),
    CheckCase(
        "preprocessing.MontageTransformer",
        lambda: {"montage": "double_banana_16"},
        shape=(20, 100),
    ),
    CheckCase(
        "preprocessing.ButterworthFilter",
        lambda: {"l_freq": 0.5, "h_freq": 20.0},
        shape=(4, 400),
    ),
    CheckCase("preprocessing.NaNImputer"),
    CheckCase("preprocessing.AmplitudeScaler"),
    CheckCase(
        "preprocessing.CentreCrop", lambda: {"n_times": 100}, adapted_shape=(3, 120)
    ),
    CheckCase("preprocessing.Decimator", lambda: {"factor": 2}),
    CheckCase("spectrogram.MelSpectrogramizer", shape=(2, 2000)),
    CheckCase("imaging.ChainMean", shape=(18, 100)),
    CheckCase("imaging.WaveformImager", shape=(16, 2000)),
    CheckCase(
        "neural.TimmClassifier",
        _tiny_net(backbone="test_efficientnet"),
        kind="images",
        shape=(2, 32, 32),
        adapted_params=_TRAINED_IN_EARNEST,
        adapted_shape=(2, 16, 16),
        adapted_expected=_TRAINED_BY_STEPS,
        single_precision=True,
    ),
    CheckCase(
        "neural.WaveformClassifier",
        _tiny_net(
            architecture_params={
                "width": 8,
                "kernels": (3, 7),
                "n_blocks": 2,
                "gru_hidden": 0,
            }
        ),
        shape=(4, 64),
        adapted_params=_TRAINED_IN_EARNEST,
        adapted_expected=_TRAINED_BY_STEPS,
        single_precision=True,
    ),
    CheckCase(
        "ensemble.KLBlender",
        kind="probabilities",
        shape=(3, 6),
        adapted_params=_CLASSES,
        adapted_expected={"check_classifier_multioutput": _VOTES_ARE_COLUMNS},
    ),
    CheckCase(
        "ensemble.StackingKLClassifier",
        _members,
        shape=(4, 50),
        adapted_params={
            **_CLASSES,
            "weak__classes": "infer",
            "strong__classes": "infer",
            # scikit-learn's tables are sorted by class.
            "cv": KFold(2, shuffle=True, random_state=0),
        },
        adapted_expected={
            "check_classifier_multioutput": _VOTES_ARE_COLUMNS,
            "check_sample_weight_equivalence_on_dense_data": (
                "copies of a row fall into other folds than one row of weight two"
            ),
        },
    ),
)


def all_estimators() -> list[tuple[str, type]]:
    """List the public estimators of the package.

    Returns
    -------
    list of (str, type)
        Room and class name, such as ``"preprocessing.NaNImputer"``, and the class, of
        every estimator that a public room names in ``__all__``. Base classes and what
        this room offers for tests are left out.

    Examples
    --------
    >>> from hmsklearn.testing import all_estimators
    >>> "preprocessing.MontageTransformer" in dict(all_estimators())
    True
    """
    found = {}
    for info in pkgutil.iter_modules(hmsklearn.__path__):
        if info.name.startswith("_") or info.name == "testing":
            continue
        room = importlib.import_module(f"hmsklearn.{info.name}")
        for name in getattr(room, "__all__", ()):
            value = getattr(room, name)
            is_estimator = inspect.isclass(value) and hasattr(value, "get_params")
            if is_estimator and hasattr(value, "fit") and not name.startswith("Base"):
                found[f"{info.name}.{name}"] = value
    return sorted(found.items())


def find_case(estimator: Any) -> CheckCase | None:
    """Find the entry of an estimator: of this very instance, else of its class."""
    of_class = [case for case in CASES if _is_of(case, estimator)]
    for case in of_class:
        if repr(case.make_estimator()) == repr(estimator):
            return case
    return of_class[0] if of_class else None


def _is_of(case: CheckCase, estimator: Any) -> bool:
    # By name first: importing every room to look at one estimator would be slow.
    cls = type(estimator)
    if case.path.rsplit(".", 1)[1] != cls.__name__:
        return False
    return cls.__module__.startswith("hmsklearn.") and case.estimator_class is cls
