"""Windows on their way into a net: checked, split, cut into batches, never copied.

A data set holds the caller's array as it is (also a memory map, read-only, of any
number type) and a list of rows; only batches are gathered and cast.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import GroupShuffleSplit
from skorch.dataset import Dataset

from hmsklearn._base import check_windows

__all__ = [
    "WindowDataset",
    "check_batchable",
    "gather",
    "mean_and_std",
    "split_rows",
]

# What the pass for mean and deviation holds at a time: small enough for the caches.
_CHUNK_BYTES = 4 * 2**20


def check_batchable(
    X: Any,
    *,
    caller: str,
    ndim: tuple[int, ...],
    n_channels: int | None = None,
    allow_nan: bool = False,
    nan_remedy: str | None = None,
) -> np.ndarray:
    """Check windows without converting the whole array.

    Parameters
    ----------
    X : array-like
        Windows.
    caller : str
        Name that starts the error messages.
    ndim : tuple of int
        Accepted numbers of axes.
    n_channels : int, optional
        Number of channels that `X` must have.
    allow_nan : bool, default=False
        Whether NaN may pass, for frontends that fill it.
    nan_remedy : str, optional
        What the error about NaN advises, where it is not a step in front.

    Returns
    -------
    ndarray
        `X` itself where it is an array of floats or whole numbers, also of 16 bits;
        anything else converted to float32.

    Raises
    ------
    ValueError
        If it does not fit; NaN and infinite values are refused.
    TypeError
        For sparse input.

    Examples
    --------
    >>> half = np.zeros((2, 3, 4), dtype=np.float16)
    >>> check_batchable(half, caller="doctest", ndim=(3,)) is half
    True
    """
    narrow = (
        isinstance(X, np.ndarray)
        and (X.dtype == np.float16 or X.dtype.kind in "iub")
        and X.ndim in ndim
        and X.size > 0
    )
    kwargs: dict[str, Any] = {
        "caller": caller,
        "ndim": ndim,
        "n_channels": n_channels,
        "allow_nan": allow_nan,
    }
    if nan_remedy is not None:
        kwargs["nan_remedy"] = nan_remedy
    if not narrow:
        return check_windows(X, **kwargs)
    check_windows(np.zeros_like(X[:1]), **kwargs)
    if X.dtype.kind == "f" and not np.isfinite(X.sum(dtype=np.float64)):
        check_windows(X, **kwargs)
    return X


def gather(X: Any, rows: np.ndarray) -> Any:
    """Copy some windows into a tensor of their own.

    Parameters
    ----------
    X : ndarray or mapping of str to ndarray
        Windows, or several views of them; may be read-only or memory maps.
    rows : ndarray of int
        Which.

    Returns
    -------
    Tensor or dict of str to Tensor
        float32, or float16 where that is how they are stored: half the way to a GPU,
        which casts them itself.

    Examples
    --------
    >>> gather(np.arange(6.0).reshape(3, 2), np.array([2])).tolist()
    [[4.0, 5.0]]
    """
    if isinstance(X, Mapping):
        return {name: gather(view, rows) for name, view in X.items()}
    dtype = np.float16 if X.dtype == np.float16 else np.float32
    # Indexing by an array makes a new one: no second copy is needed here.
    return torch.from_numpy(np.ascontiguousarray(X[rows], dtype=dtype))


class WindowDataset(Dataset):
    """Windows, their targets and weights, by reference.

    Parameters
    ----------
    X : ndarray of shape (n_windows, ...), or mapping of str to ndarray
        Windows, or several views of them; kept as they are.
    fractions : ndarray of shape (n_windows, n_classes), optional
        Vote fractions.
    sample_weight : ndarray of shape (n_windows,), optional
        Weights.
    rows : ndarray of int, optional
        The windows that belong to this set; all without it.
    total_votes : ndarray of shape (n_windows,), optional
        Votes behind each window, NaN where unknown.

    Notes
    -----
    An item, asked for by an index or an array of indices, is ``(batch, fractions)``
    where ``batch`` is a dict of the net's possible inputs: ``"x"`` and, where they are
    known, ``"sample_weight"`` and ``"total_votes"``. float64 is cast to float32 here,
    per batch. The attributes ``X`` and ``y``, which some of skorch's callbacks read,
    gather the whole set anew at every access.

    Examples
    --------
    >>> data = WindowDataset(np.zeros((3, 2, 4)), np.eye(3), rows=np.array([0, 2]))
    >>> batch, fractions = data[[1]]
    >>> batch["x"].dtype, fractions.tolist()
    (torch.float32, [[0.0, 0.0, 1.0]])
    """

    def __init__(
        self,
        X: Any,
        fractions: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
        rows: np.ndarray | None = None,
        total_votes: np.ndarray | None = None,
    ) -> None:
        # Not skorch's own initialisation, which copies what it does not know.
        self.windows = X
        n = len(next(iter(X.values())) if isinstance(X, Mapping) else X)
        self.rows = np.arange(n) if rows is None else rows
        self.fractions = None if fractions is None else _as_tensor(fractions)
        self.total_votes = None if total_votes is None else _as_tensor(total_votes)
        self.set_weight(sample_weight)

    def set_weight(self, sample_weight: np.ndarray | None) -> None:
        """Put other weights in the place of those that there are.

        Parameters
        ----------
        sample_weight : ndarray of shape (n_windows,), or None
            Weights of all windows of the array.
        """
        self.sample_weight = (
            None if sample_weight is None else _as_tensor(sample_weight)
        )

    def __len__(self) -> int:
        return self.rows.shape[0]

    def __getitem__(self, index: Any) -> tuple[dict[str, Any], torch.Tensor]:
        return self.batch(np.atleast_1d(self.rows[index]))

    def batch(self, rows: np.ndarray) -> tuple[dict[str, Any], torch.Tensor]:
        """Gather windows by their place in the array.

        Parameters
        ----------
        rows : ndarray of int
            Which windows of the array.

        Returns
        -------
        tuple of (dict, Tensor)
            Inputs and vote fractions.
        """
        inputs = {"x": gather(self.windows, rows)}
        chosen = torch.from_numpy(rows)
        if self.sample_weight is not None:
            inputs["sample_weight"] = self.sample_weight[chosen]
        if self.total_votes is not None:
            inputs["total_votes"] = self.total_votes[chosen]
        if self.fractions is None:
            # The protocol of skorch wants a second item; nothing looks at it.
            return inputs, torch.zeros(rows.shape[0])
        return inputs, self.fractions[chosen]

    @property
    def window_shape(self) -> Any:
        """Shape of one window, by name where there are several views."""
        if isinstance(self.windows, Mapping):
            return {name: tuple(view.shape[1:]) for name, view in self.windows.items()}
        return tuple(self.windows.shape[1:])

    @property
    def X(self) -> Any:
        """Windows of this set, copied out of the array."""
        if isinstance(self.windows, Mapping):
            views = {name: view[self.rows] for name, view in self.windows.items()}
            return type(self.windows)(views)  # type: ignore[call-arg]
        return self.windows[self.rows]

    @property
    def y(self) -> np.ndarray | None:
        """Vote fractions of this set."""
        if self.fractions is None:
            return None
        return self.fractions[torch.from_numpy(self.rows)].numpy()


def mean_and_std(X: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of all values, in one pass by chunks.

    Parameters
    ----------
    X : ndarray of shape (n_windows, ...)
        Windows.
    rows : ndarray of int
        Which of them count.

    Returns
    -------
    tuple of float
        Mean and standard deviation (population) in float64.

    Examples
    --------
    >>> mean_and_std(np.array([[1.0, 3.0], [9.0, 9.0]]), np.array([0]))
    (2.0, 1.0)
    """
    step = max(1, _CHUNK_BYTES // max(1, 8 * X[0].size))
    count = float(rows.size * X[0].size)
    # Sums around a value near the mean: a small deviation on a large offset
    # survives the rounding.
    origin = float(X[rows[0]].mean(dtype=np.float64))
    total = squares = 0.0
    for start in range(0, rows.size, step):
        chunk = X[rows[start : start + step]]
        centred = np.subtract(chunk, origin, dtype=np.float64).ravel()
        total += float(centred.sum())
        squares += float(centred @ centred)
    variance = squares / count - (total / count) ** 2
    return origin + total / count, float(np.sqrt(max(variance, 0.0)))


def split_rows(
    rows: np.ndarray,
    groups: Any,
    *,
    fraction: float,
    random_state: np.random.RandomState,
    caller: str,
    eeg_id: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Divide training windows into those trained on and those validated on.

    Parameters
    ----------
    rows : ndarray of int
        The windows to divide.
    groups : array-like of shape (n_windows,), or None
        Group (patient) of *every* window of the array that `rows` points into.
    fraction : float
        Share of the groups, or of the windows without groups, to validate on.
    random_state : RandomState
        Where the draw comes from.
    caller : str
        Name that starts messages.
    eeg_id : ndarray of shape (n_windows,), optional
        EEG of every window, which stays on one side where there are no groups.

    Returns
    -------
    train, valid : ndarray of int
        Both sorted. No group is on both sides, without groups no EEG.

    Raises
    ------
    ValueError
        With fewer than two groups, or fewer than three windows without groups.

    Warns
    -----
    UserWarning
        Without groups.

    Examples
    --------
    >>> draw = np.random.RandomState(0)
    >>> train, valid = split_rows(np.arange(4), [1, 1, 2, 2], fraction=0.5,
    ...                           random_state=draw, caller="doctest")
    >>> train.tolist(), valid.tolist()
    ([0, 1], [2, 3])
    """
    if groups is None:
        drawn = "windows" if eeg_id is None else "EEGs"
        warnings.warn(
            f"{caller}: early_stopping=True without groups validates on {drawn} drawn "
            f"at random, and {drawn} of one patient may be on both sides: the best "
            "epoch is then chosen by memory. Pass fit(..., groups=patient_id), or "
            "X_val and y_val.",
            UserWarning,
            stacklevel=5,
        )
    if groups is None and eeg_id is None:
        if rows.size < 3:
            raise ValueError(
                f"{caller}: early_stopping=True needs at least 3 samples (windows) to "
                f"split, got n_samples = {rows.size}. Turn it off or pass X_val and "
                "y_val."
            )
        n_valid = min(max(1, round(fraction * rows.size)), rows.size - 2)
        order = random_state.permutation(rows.size)
        return np.sort(rows[order[n_valid:]]), np.sort(rows[order[:n_valid]])
    kind = "groups (patients)" if groups is not None else "EEGs"
    labels = np.asarray(eeg_id if groups is None else groups)[rows]
    n_groups = np.unique(labels).size
    if n_groups < 2:
        raise ValueError(
            f"{caller}: early_stopping=True needs windows of at least 2 {kind} "
            f"to validate on others than it trains on, got {n_groups}. Turn "
            "it off or pass X_val and y_val."
        )
    n_valid = min(max(1, round(fraction * n_groups)), n_groups - 1)
    splitter = GroupShuffleSplit(1, test_size=n_valid, random_state=random_state)
    train, valid = next(splitter.split(rows, groups=labels))
    return np.sort(rows[train]), np.sort(rows[valid])


def _as_tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32))
