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

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline

import hmsklearn
from hmsklearn.imaging import WaveformImager
from hmsklearn.neural import WaveformClassifier
from hmsklearn.preprocessing import CentreCrop, Decimator
from hmsklearn.testing._adapters import WeightedWindowAdapter, WindowAdapter
from hmsklearn.testing._adapters_other import RowsAdapter, StackAdapter
from hmsklearn.testing._adapters_votes import RatedWindowAdapter
from hmsklearn.testing._data import TABLES, CheckData, make_check_data, suited
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
    kind : {"windows", "images", "probabilities", "rows", "cadences"}
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
        data = make_check_data(self.kind, shape=self.shape)
        return suited(data, self.make_estimator())

    def make_adapted(self) -> Any:
        """Build the instance inside the adapter that scikit-learn's checks need."""
        estimator = self.make_estimator().set_params(**self.adapted_params)
        if self.kind == "probabilities":
            return StackAdapter(estimator)
        if self.kind in TABLES:
            return RowsAdapter(estimator, kind=self.kind)
        if accepts(estimator, "total_votes"):
            adapter: type[WindowAdapter] = RatedWindowAdapter
        else:
            weighted = accepts(estimator, "sample_weight")
            adapter = WeightedWindowAdapter if weighted else WindowAdapter
        return adapter(estimator, shape=self.adapted_shape or self.shape or (4, 200))


_VOTES_ARE_COLUMNS = (
    "the columns of a 2-D y are the votes of one target, not several targets, and "
    "rows without any vote have none"
)
_FRACTIONS_HIDE_VOTES = (
    "fractions and labels do not tell how many experts have rated a row, which is what "
    "decides whether teachers learn from it; fit takes total_votes beside them"
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


def _averaged() -> dict[str, Any]:
    """Fit two members under given weights."""
    members = _members()["estimators"]
    return {"estimators": members, "weights": {"weak": 1.0, "strong": 3.0}}


def _several_looks() -> dict[str, Any]:
    """Look forwards, backwards and upside down, in a mirror and a little later."""
    transforms = [
        *("identity", "time_reverse", "polarity_flip", "mirror"),
        ("shift", 0.1),
    ]
    names = ["Fp1", "Fp2", "Cz", "EKG"]
    estimator = ChannelPowerClassifier()
    return {"estimator": estimator, "transforms": transforms, "ch_names": names}


def _scaled() -> dict[str, Any]:
    return {"estimator": ChannelPowerClassifier(alpha=0.01), "cv": 2}


_AVERAGED_TABLES = {
    **_CLASSES,
    "weak__classes": "infer",
    "strong__classes": "infer",
}
_SCALED_TABLES = {
    **_CLASSES,
    "estimator__classes": "infer",
    # scikit-learn's tables are sorted by class.
    "cv": KFold(2, shuffle=True, random_state=0),
}
_SCALED_APART = {
    "check_classifier_multioutput": _VOTES_ARE_COLUMNS,
    "check_sample_weight_equivalence_on_dense_data": (
        "copies of a row fall into other folds than one row of weight two"
    ),
}


def _views() -> dict[str, Any]:
    """Twenty columns of the whole window beside ten of its centre."""
    zoom = [("crop", CentreCrop(n_times=100)), ("image", WaveformImager())]
    return {"views": [("whole", WaveformImager()), ("zoom", Pipeline(zoom))]}


def _branches() -> dict[str, Any]:
    """Give the signal itself, twenty columns of it, and ten of its centre."""
    return {"views": [("signal", "passthrough"), *_views()["views"]]}


def _branches_of_one_array() -> dict[str, Any]:
    """Look at the whole signal, and through a frontend at every other sample."""
    small = {"width": 8, "kernels": (3, 7), "n_blocks": 2, "gru_hidden": 0}
    whole = WaveformClassifier(architecture_params=small)
    coarse = WaveformClassifier(architecture_params=small, frontend=Decimator(2))
    return _tiny_net(branches=[("whole", whole), ("coarse", coarse)])()


def _adaptable() -> dict[str, Any]:
    small = {"width": 8, "kernels": (3, 7), "n_blocks": 2, "gru_hidden": 0}
    net = WaveformClassifier(**_tiny_net(architecture_params=small)())
    return {"estimator": net, "max_epochs": 2, "batch_size": 8}


CASES: tuple[CheckCase, ...] = (
    CheckCase(
        "calibration.TemperatureScaledClassifier",
        _scaled,
        shape=(4, 50),
        adapted_params=_SCALED_TABLES,
        adapted_expected=_SCALED_APART,
    ),
    CheckCase(
        "calibration.TemperatureScaledClassifier",
        lambda: {**_scaled(), "bias": True, "l2": 0.01},
        shape=(4, 50),
        adapted_params=_SCALED_TABLES,
        adapted_expected=_SCALED_APART,
    ),
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
    CheckCase("datasets.SETIReader", kind="cadences", shape=None),
    CheckCase(
        "datasets.SETIReader", lambda: {"channels": "all"}, kind="cadences", shape=None
    ),
    CheckCase(
        "pipeline.RowPipeline",
        lambda: {
            "steps": [
                ("decimate", Decimator(2)),
                ("net", ChannelPowerClassifier()),
            ]
        },
        shape=(4, 50),
        expected={
            "check_fit_keeps_params": (
                "steps are fitted in place, as in every pipeline of scikit-learn"
            )
        },
        adapted_params={"net__classes": "infer"},
        adapted_expected={"check_classifier_multioutput": _VOTES_ARE_COLUMNS},
    ),
    CheckCase("preprocessing.MontageTransformer", shape=(20, 100)),
    CheckCase(
        "preprocessing.MontageTransformer",
        lambda: {"montage": "double_banana_16"},
        shape=(20, 100),
    ),
    CheckCase(
        "preprocessing.MontageTransformer",
        lambda: {"montage": "average_reference_ekg"},
        shape=(20, 100),
    ),
    CheckCase(
        "preprocessing.ButterworthFilter",
        lambda: {"l_freq": 0.5, "h_freq": 20.0},
        shape=(4, 400),
    ),
    CheckCase("preprocessing.NotchFilter"),
    CheckCase(
        "preprocessing.NotchFilter",
        lambda: {"method": "fir", "trans_bandwidth": 10.0},
        shape=(4, 150),
    ),
    CheckCase("preprocessing.FIRFilter", lambda: {"l_freq": 2.0}, shape=(4, 400)),
    CheckCase("preprocessing.NaNImputer"),
    CheckCase("preprocessing.NaNImputer", lambda: {"strategy": "linear"}),
    CheckCase("preprocessing.AmplitudeScaler"),
    CheckCase(
        "preprocessing.AmplitudeScaler",
        lambda: {"clip": 50.0, "scale": [100.0, 50.0, 80.0, 9.0], "offset": 5, "mu": 1},
    ),
    CheckCase("preprocessing.RobustChannelScaler"),
    CheckCase(
        "preprocessing.RobustChannelScaler",
        lambda: {"quantile_range": None, "across": "electrodes"},
    ),
    CheckCase(
        "preprocessing.ChannelQuality",
        lambda: {"ch_names": ["Fp1", "F3", "C3", "P3"], "n_nearest": 2},
        shape=(4, 100),
    ),
    CheckCase(
        "preprocessing.ChannelQuality",
        lambda: {"montage": "double_banana", "output": "mask", "half_life": 0.1},
        shape=(20, 100),
    ),
    CheckCase(
        "preprocessing.CentreCrop", lambda: {"n_times": 100}, adapted_shape=(3, 120)
    ),
    CheckCase("preprocessing.Decimator", lambda: {"factor": 2, "method": "mean"}),
    CheckCase("spectrogram.HostSpectrogramizer", shape=(20, 1300)),
    CheckCase("spectrogram.MelSpectrogramizer", shape=(2, 2000)),
    CheckCase(
        "spectrogram.MultitaperSpectrogramizer",
        lambda: {"window_seconds": 0.4, "step_seconds": 0.1, "fmax": 40.0},
    ),
    CheckCase(
        "spectrogram.MultitaperSpectrogramizer",
        lambda: {
            "window_seconds": 0.5,
            "step_seconds": 0.2,
            "weighting": "adaptive",
            "adaptive_steps": 3,
            "output": "log1p",
        },
    ),
    CheckCase(
        "spectrogram.STFTSpectrogramizer",
        lambda: {"n_fft": 64, "hop_length": 20, "fmax": 40.0, "output": "log1p"},
    ),
    CheckCase(
        "spectrogram.WaveletScalogramizer",
        lambda: {"fmin": 5.0, "n_freqs": 8, "n_columns": 20},
    ),
    CheckCase(
        "spectrogram.WaveletScalogramizer",
        lambda: {"freqs": [8.0, 20.0], "order": (1, 2.5), "hop_length": 7},
    ),
    CheckCase("imaging.ChainMean", shape=(18, 100)),
    CheckCase("imaging.ImageResizer", lambda: {"size": (9, 7)}, "images", (2, 6, 8)),
    CheckCase(
        "imaging.ImageResizer",
        lambda: {"size": 5, "mode": "bicubic", "antialias": True},
        kind="images",
        shape=(2, 6, 8),
    ),
    CheckCase("imaging.BackgroundNormalizer", kind="images", shape=(3, 20, 8)),
    CheckCase(
        "imaging.BackgroundNormalizer",
        lambda: {"reference": (1, 3), "clip": 2},
        kind="images",
        shape=(4, 9, 8),
    ),
    CheckCase("imaging.ImageStandardizer", kind="images", shape=(2, 6, 8)),
    CheckCase(
        "imaging.ImageStandardizer",
        lambda: {"method": "quantile", "per": 3, "value_range": (0, 255)},
        kind="images",
        shape=(2, 6, 8),
    ),
    CheckCase(
        "imaging.ImageTiler",
        lambda: {"layout": (2, 3), "size": 24, "n_planes": 3},
        kind="images",
        shape=(5, 6, 8),
    ),
    CheckCase(
        "imaging.ImageTiler",
        lambda: {"layout": "planes", "frames": True, "trim": (1, 2)},
        kind="images",
        shape=(3, 6, 8),
    ),
    CheckCase(
        "imaging.KaggleSpectrogramImager",
        lambda: {"width": 8, "height": 9, "differences": "levels"},
        kind="images",
        shape=(4, 6, 10),
    ),
    CheckCase("imaging.PanelStatistics", kind="images", shape=(4, 6, 8)),
    CheckCase(
        "imaging.PanelStatistics",
        lambda: {"statistics": (20, "mean"), "over": "time", "output": "table"},
        kind="images",
        shape=(2, 6, 8),
    ),
    CheckCase("imaging.PlaneContrast", shape=(4, 100)),
    CheckCase("imaging.ViewUnion", _branches),
    CheckCase("imaging.WaveformImager", shape=(16, 2000)),
    CheckCase(
        "imaging.WaveformImager",
        lambda: {"rows": 4, "layout": "contiguous", "columns": 2},
    ),
    CheckCase("imaging.WaveformPlotter", lambda: {"height": 40, "width": 50}),
    CheckCase("imaging.WindowUnion", _views),
    CheckCase(
        "neural.ImageClassifier",
        _tiny_net(
            architecture_params={
                **{"embed_dim": 12, "depth": 1, "n_heads": 2},
                **{"patch_size": 4, "stride": 4},
            }
        ),
        kind="images",
        shape=(2, 16, 16),
        adapted_params=_TRAINED_IN_EARNEST,
        adapted_shape=(2, 8, 8),
        adapted_expected=_TRAINED_BY_STEPS,
        single_precision=True,
    ),
    CheckCase(
        "neural.MultiViewClassifier",
        _branches_of_one_array,
        shape=(4, 64),
        adapted_params=_TRAINED_IN_EARNEST,
        adapted_expected=_TRAINED_BY_STEPS,
        single_precision=True,
    ),
    CheckCase(
        "neural.TimmClassifier",
        _tiny_net(backbone="test_efficientnet"),
        kind="images",
        shape=(2, 32, 32),
        adapted_params={**_TRAINED_IN_EARNEST, "lr": 0.01, "max_epochs": 8},
        adapted_shape=(2, 32, 32),
        adapted_expected=_TRAINED_BY_STEPS,
        single_precision=True,
    ),
    CheckCase(
        "neural.VideoClassifier",
        _tiny_net(
            architecture_params={
                **{"depth_factor": 0.2, "width_factor": 0.34},
                **{"head_width": 16, "drop_rate": 0.0},
            }
        ),
        kind="images",
        shape=(2, 2, 16, 16),
        adapted_params=_TRAINED_IN_EARNEST,
        adapted_shape=(2, 2, 16, 16),
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
        "ensemble.GroupContextBlender",
        kind="probabilities",
        shape=(3, 6),
        adapted_params=_CLASSES,
        adapted_expected={"check_classifier_multioutput": _VOTES_ARE_COLUMNS},
    ),
    CheckCase(
        "ensemble.KLBlender",
        kind="probabilities",
        shape=(3, 6),
        adapted_params=_CLASSES,
        adapted_expected={"check_classifier_multioutput": _VOTES_ARE_COLUMNS},
    ),
    CheckCase(
        "ensemble.KLBlender",
        lambda: {"pool": ("linear", "log"), "bias": True, "alpha": 0.1},
        kind="probabilities",
        shape=(3, 6),
        adapted_params=_CLASSES,
        adapted_expected={"check_classifier_multioutput": _VOTES_ARE_COLUMNS},
    ),
    CheckCase(
        "ensemble.SoftLabelClassifier",
        lambda: {"estimator": LogisticRegression(max_iter=1000)},
        kind="probabilities",
        shape=(3, 6),
        adapted_params=_CLASSES,
        expected={
            "check_sparse": (
                "beside probabilities it takes what its classifier takes, and this one "
                "takes sparse tables"
            )
        },
        adapted_expected={"check_classifier_multioutput": _VOTES_ARE_COLUMNS},
    ),
    CheckCase(
        "ensemble.AveragingKLClassifier",
        _averaged,
        shape=(4, 50),
        adapted_params=_AVERAGED_TABLES,
        adapted_expected={"check_classifier_multioutput": _VOTES_ARE_COLUMNS},
    ),
    CheckCase(
        "ensemble.AveragingKLClassifier",
        lambda: {**_averaged(), "weights": [0.4, 0.8], "average": "log"},
        shape=(4, 50),
        adapted_params=_AVERAGED_TABLES,
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
    CheckCase(
        "ensemble.TestTimeAugmenter",
        _several_looks,
        shape=(4, 50),
        adapted_params={"estimator__classes": "infer"},
        adapted_expected={"check_classifier_multioutput": _VOTES_ARE_COLUMNS},
    ),
    CheckCase(
        "ensemble.TestTimeAugmenter",
        lambda: {**_several_looks(), "weights": "fit", "average": "log", "cv": 2},
        shape=(4, 50),
        adapted_params={
            "estimator__classes": "infer",
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
    CheckCase(
        "semi_supervised.PseudoLabelClassifier",
        lambda: {
            "estimator": ChannelPowerClassifier(),
            "teachers": [("weak", ChannelPowerClassifier(alpha=1.0))],
            "n_iter": 2,
            "teacher_cv": 2,
            "pseudo_probability": 0.9,
        },
        shape=(4, 50),
        expected={"check_vote_forms": _FRACTIONS_HIDE_VOTES},
        adapted_params={
            **_CLASSES,
            "estimator__classes": "infer",
            "estimator__alpha": 0.1,
            "weak__classes": "infer",
            # Folds of teachers would differ between copies and weights.
            "teacher_cv": "all",
            "pseudo_probability": 1.0,
        },
        adapted_expected={"check_classifier_multioutput": _VOTES_ARE_COLUMNS},
    ),
    CheckCase(
        "semi_supervised.SHOTClassifier",
        _adaptable,
        shape=(4, 64),
        adapted_params={
            f"estimator__{name}": value for name, value in _TRAINED_IN_EARNEST.items()
        },
        adapted_expected=_TRAINED_BY_STEPS,
        single_precision=True,
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
