"""What the checks feed to an estimator: small simulated windows with votes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.utils import check_random_state, get_tags

from hmsklearn.testing._folder import simulated_cadences, simulated_rows
from hmsklearn.votes import CLASSES

__all__ = ["KINDS", "TABLES", "CheckData", "guess_kind", "make_check_data", "suited"]

#: Kinds of input, by the name that :func:`make_check_data` knows them by.
KINDS = ("windows", "images", "probabilities", "rows", "cadences")

#: Those that are tables, which refer to files.
TABLES = ("rows", "cadences")

_SHAPES = {"windows": (4, 200), "images": (2, 32, 32), "probabilities": (3, 6)}

# A prime: an attribute of a fitted estimator that has this length has, in all
# likelihood, one entry for each training window.
_N_WINDOWS = 23


@dataclass(frozen=True)
class CheckData:
    """Input, votes and patients that one estimator is checked on.

    Attributes
    ----------
    kind : {"windows", "images", "probabilities", "rows", "cadences"}
        What `X` holds.
    X : ndarray or DataFrame
        ``(n, n_channels, n_times)`` windows in microvolt, ``(n, n_planes, height,
        width)`` images, or films with the frames in front of the height, ``(n,
        n_models, n_classes)`` probabilities, all float32, or rows of ``train.csv`` (of
        ``train_labels.csv`` for cadences).
    votes : ndarray of shape (n, 6), int
        Vote counts.
    groups : ndarray of shape (n,), int
        Patients.

    Examples
    --------
    >>> from hmsklearn.testing import make_check_data
    >>> data = make_check_data("images", shape=(3, 16, 16), n_windows=7)
    >>> data.X.shape, data.is_array, len(data)
    ((7, 3, 16, 16), True, 7)
    """

    kind: str
    X: Any
    votes: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.X)

    @property
    def is_array(self) -> bool:
        """Whether `X` is an array of numbers rather than a table of rows."""
        return self.kind not in TABLES

    def take(self, rows: Any) -> CheckData:
        """Return the data of some windows, copied.

        Parameters
        ----------
        rows : slice or array-like of int
            Positions of the windows.

        Returns
        -------
        CheckData
            The same kind of data with fewer, repeated or reordered windows.
        """
        index = np.arange(len(self))[rows]
        X = self.X[index] if self.is_array else self.X.iloc[index]
        return CheckData(self.kind, X, self.votes[index], self.groups[index])


def make_check_data(
    kind: str = "windows",
    *,
    shape: tuple[int, ...] | None = None,
    n_windows: int = _N_WINDOWS,
    random_state: Any = 0,
) -> CheckData:
    """Simulate input of one kind, with votes that depend on it.

    Parameters
    ----------
    kind : str, default="windows"
        What to simulate: "windows", "images", "probabilities", "rows" or "cadences".
    shape : tuple of int, optional
        Shape of one window: (n_channels, n_times), (n_planes, height, width),
        (n_planes, n_frames, height, width) or (n_models, n_classes). Tables
        ignore it.
    n_windows : int, default=23
        Number of windows. All six classes occur from six on.
    random_state : int, RandomState instance or None, default=0
        Source of randomness.

    Returns
    -------
    CheckData
        The data. Windows are rhythms in noise whose frequency and amplitude tell the
        class; rows belong to a simulated folder that lives as long as the process.

    Raises
    ------
    ValueError
        If `kind` is unknown.

    Notes
    -----
    Signals are float32 microvolt at 200 Hz, without NaN.

    Examples
    --------
    >>> data = make_check_data("windows", shape=(4, 100), n_windows=12)
    >>> data.X.shape, data.X.dtype, data.votes.shape
    ((12, 4, 100), dtype('float32'), (12, 6))
    """
    if kind not in KINDS:
        raise ValueError(f"make_check_data: kind={kind!r} is not known. Use {KINDS}.")
    if kind in TABLES:
        make_rows = simulated_rows if kind == "rows" else simulated_cadences
        rows, votes, groups = make_rows(n_windows)
        return CheckData(kind, rows, votes, groups)
    rng = check_random_state(random_state)
    shape = _SHAPES[kind] if shape is None else tuple(shape)
    label = np.arange(n_windows) % len(CLASSES)
    chances = 0.1 + 5.0 * np.eye(len(CLASSES))[label]
    votes = np.stack(
        [rng.multinomial(rng.randint(3, 15), p / p.sum()) for p in chances]
    )
    make = {"windows": _windows, "images": _images, "probabilities": _probabilities}
    X = make[kind](rng, label, shape).astype(np.float32)
    # Three windows in a row come from one patient.
    return CheckData(kind, X, votes, np.arange(n_windows) // 3)


def suited(data: CheckData, estimator: Any) -> CheckData:
    """Return data without negative values, where an estimator's tags ask for that.

    Parameters
    ----------
    data : CheckData
        Input.
    estimator : object
        An estimator with ``__sklearn_tags__``.

    Returns
    -------
    CheckData
        `data` itself, or with the absolute values.
    """
    if data.is_array and get_tags(estimator).input_tags.positive_only:
        return replace(data, X=np.abs(data.X))
    return data


def _windows(
    rng: np.random.RandomState, label: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    n_channels, n_times = shape
    seconds = np.arange(n_times) / 200.0
    phase = rng.uniform(0, 2 * np.pi, (label.size, n_channels, 1))
    hertz = 1.0 + 2.0 * label[:, None, None]
    amplitude = 15.0 * (1.0 + label[:, None, None]) * rng.uniform(0.8, 1.2, phase.shape)
    rhythm = amplitude * np.sin(2 * np.pi * hertz * seconds + phase)
    return rhythm + 5.0 * rng.standard_normal((label.size, n_channels, n_times))


def _images(
    rng: np.random.RandomState, label: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    height = np.linspace(0.0, 1.0, shape[-2])[:, None]
    centre = (label.reshape(-1, *[1] * len(shape)) + 0.5) / len(CLASSES)
    band = np.exp(-((height - centre) ** 2) / 0.02)
    return band + 0.1 * rng.standard_normal((label.size, *shape))


def _probabilities(
    rng: np.random.RandomState, label: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    n_models, n_classes = shape
    # Each member knows other classes, so that no member is best alone.
    knows = label[:, None] % n_models == np.arange(n_models)
    skill = np.where(knows, 3.0, 0.5)[:, :, None]
    logits = skill * np.eye(n_classes)[label % n_classes][:, None, :]
    logits = logits + 0.5 * rng.standard_normal((label.size, n_models, n_classes))
    odds = np.exp(logits)
    return odds / odds.sum(axis=2, keepdims=True)


def guess_kind(estimator: Any) -> str:
    """Tell from an estimator's tags which kind of data it takes.

    Parameters
    ----------
    estimator : object
        An estimator with ``__sklearn_tags__``.

    Returns
    -------
    str
        ``"windows"`` for a 3-D tag, ``"images"`` without 2-D and 3-D tags.
    """
    tags = get_tags(estimator).input_tags
    return "windows" if tags.three_d_array or tags.two_d_array else "images"
