"""Windows on their way into a net: checked, split, cut into batches, never copied.

A data set holds the caller's array as it is (also a memory map, read-only, of any
number type) and a list of rows; only batches are gathered and cast.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import GroupShuffleSplit
from skorch.dataset import Dataset

from hmsklearn._base import check_windows

__all__ = ["BatchIterator", "WindowDataset", "check_batchable", "split_rows"]

# What the pass for mean and deviation holds at a time: small enough for the caches.
_CHUNK_BYTES = 4 * 2**20


def check_batchable(
    X: Any, *, caller: str, ndim: tuple[int, ...], n_channels: int | None = None
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
    if not narrow:
        return check_windows(X, caller=caller, ndim=ndim, n_channels=n_channels)
    check_windows(np.zeros_like(X[:1]), caller=caller, ndim=ndim, n_channels=n_channels)
    if X.dtype.kind == "f" and not np.isfinite(X.sum(dtype=np.float64)):
        check_windows(X, caller=caller, ndim=ndim, n_channels=n_channels)
    return X


class WindowDataset(Dataset):
    """Windows, their targets and weights, by reference.

    Parameters
    ----------
    X : ndarray of shape (n_windows, ...)
        Windows; kept as they are.
    fractions : ndarray of shape (n_windows, n_classes), optional
        Vote fractions.
    sample_weight : ndarray of shape (n_windows,), optional
        Weights.
    rows : ndarray of int, optional
        The windows that belong to this set; all without it.

    Notes
    -----
    An item, asked for by an index or an array of indices, is ``(batch, fractions)``
    where ``batch`` is a dict of the net's possible inputs: ``"x"`` and, if there are
    weights, ``"sample_weight"``. float64 is cast to float32 here, per batch. The
    attributes ``X`` and ``y``, which some of skorch's callbacks read, gather the whole
    set anew at every access.

    Examples
    --------
    >>> data = WindowDataset(np.zeros((3, 2, 4)), np.eye(3), rows=np.array([0, 2]))
    >>> batch, fractions = data[[1]]
    >>> batch["x"].dtype, fractions.tolist()
    (torch.float32, [[0.0, 0.0, 1.0]])
    """

    def __init__(
        self,
        X: np.ndarray,
        fractions: np.ndarray | None = None,
        sample_weight: np.ndarray | None = None,
        rows: np.ndarray | None = None,
    ) -> None:
        self.windows = X
        self.rows = np.arange(len(X)) if rows is None else np.asarray(rows)
        self.fractions = None if fractions is None else _as_tensor(fractions)
        self.sample_weight = (
            None if sample_weight is None else _as_tensor(sample_weight)
        )

    def __len__(self) -> int:
        return self.rows.shape[0]

    def __getitem__(self, index: Any) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        rows = np.atleast_1d(self.rows[index])
        # Indexing by an array makes a new one: no second copy is needed here.
        windows = np.ascontiguousarray(self.windows[rows], dtype=np.float32)
        batch = {"x": torch.from_numpy(windows)}
        chosen = torch.from_numpy(rows)
        if self.sample_weight is not None:
            batch["sample_weight"] = self.sample_weight[chosen]
        if self.fractions is None:
            # The protocol of skorch wants a second item; nothing looks at it.
            return batch, torch.zeros(rows.shape[0])
        return batch, self.fractions[chosen]

    @property
    def window_shape(self) -> tuple[int, ...]:
        """Shape of one window."""
        return self.windows.shape[1:]

    @property
    def X(self) -> np.ndarray:
        """Windows of this set, copied out of the array."""
        return self.windows[self.rows]

    @property
    def y(self) -> np.ndarray | None:
        """Vote fractions of this set."""
        if self.fractions is None:
            return None
        return self.fractions[torch.from_numpy(self.rows)].numpy()

    def mean_and_std(self) -> tuple[float, float]:
        """Mean and standard deviation of all values, in one pass by chunks.

        Returns
        -------
        tuple of float
            Mean and standard deviation (population) in float64.
        """
        step = max(1, _CHUNK_BYTES // max(1, 8 * self.windows[0].size))
        count = float(len(self) * self.windows[0].size)
        # Sums around a value near the mean: a small deviation on a large offset
        # survives the rounding.
        origin = float(self.windows[self.rows[0]].mean(dtype=np.float64))
        total = squares = 0.0
        for start in range(0, len(self), step):
            chunk = self.windows[self.rows[start : start + step]]
            centred = np.subtract(chunk, origin, dtype=np.float64).ravel()
            total += float(centred.sum())
            squares += float(centred @ centred)
        variance = squares / count - (total / count) ** 2
        return origin + total / count, float(np.sqrt(max(variance, 0.0)))


class BatchIterator:
    """Cut a :class:`WindowDataset` into batches; used in place of a DataLoader.

    Parameters
    ----------
    dataset : WindowDataset
        Windows.
    batch_size : int
        Number of windows in a batch.
    shuffle : bool, default=False
        Whether to draw a new order in each pass, from torch's random state.
    pin_memory : bool, default=False
        Whether to put batches into page-locked memory, from where they reach a GPU
        while it computes.

    Notes
    -----
    Every window is in exactly one batch. A last batch of a single window, which
    batch normalisation cannot train on, joins the one before.

    Examples
    --------
    >>> data = WindowDataset(np.zeros((5, 2, 4)))
    >>> [len(batch["x"]) for batch, _ in BatchIterator(data, 2)]
    [2, 3]
    """

    def __init__(
        self,
        dataset: WindowDataset,
        batch_size: int,
        shuffle: bool = False,
        pin_memory: bool = False,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.pin_memory = pin_memory

    def __len__(self) -> int:
        n = len(self.dataset)
        full, rest = divmod(n, self.batch_size)
        return full + (rest > 1 or (rest == 1 and (full == 0 or self.batch_size == 1)))

    def __iter__(self) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        n = len(self.dataset)
        order = torch.randperm(n).numpy() if self.shuffle else np.arange(n)
        n_batches = len(self)
        for i in range(n_batches):
            last = i == n_batches - 1
            stop = n if last else (i + 1) * self.batch_size
            batch, target = self.dataset[order[i * self.batch_size : stop]]
            if self.pin_memory:
                batch = {name: value.pin_memory() for name, value in batch.items()}
                target = target.pin_memory()
            yield batch, target


def split_rows(
    rows: np.ndarray,
    groups: Any,
    *,
    fraction: float,
    random_state: np.random.RandomState,
    caller: str,
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

    Returns
    -------
    train, valid : ndarray of int
        Both sorted. No group is on both sides.

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
        warnings.warn(
            f"{caller}: early_stopping=True without groups validates on windows drawn "
            "at random, and windows of one patient may be on both sides: the best "
            "epoch is then chosen by memory. Pass fit(..., groups=patient_id), or "
            "X_val and y_val.",
            UserWarning,
            stacklevel=4,
        )
        if rows.size < 3:
            raise ValueError(
                f"{caller}: early_stopping=True needs at least 3 samples (windows) to "
                f"split, got n_samples = {rows.size}. Turn it off or pass X_val and "
                "y_val."
            )
        n_valid = min(max(1, round(fraction * rows.size)), rows.size - 2)
        order = random_state.permutation(rows.size)
        return np.sort(rows[order[n_valid:]]), np.sort(rows[order[:n_valid]])
    labels = np.asarray(groups)[rows]
    n_groups = np.unique(labels).size
    if n_groups < 2:
        raise ValueError(
            f"{caller}: early_stopping=True needs windows of at least 2 groups "
            f"(patients) to validate on others than it trains on, got {n_groups}. Turn "
            "it off or pass X_val and y_val."
        )
    n_valid = min(max(1, round(fraction * n_groups)), n_groups - 1)
    splitter = GroupShuffleSplit(1, test_size=n_valid, random_state=random_state)
    train, valid = next(splitter.split(rows, groups=labels))
    return np.sort(rows[train]), np.sort(rows[valid])


def to_float32(values: np.ndarray) -> torch.Tensor:
    """Turn a batch into a float32 tensor of its own.

    Parameters
    ----------
    values : ndarray
        Windows; may be read-only, a memory map or strided.

    Returns
    -------
    Tensor
        A copy, contiguous.

    Examples
    --------
    >>> to_float32(np.arange(3)[::-1]).tolist()
    [2.0, 1.0, 0.0]
    """
    return torch.from_numpy(np.array(values, dtype=np.float32, order="C", subok=False))


def _as_tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32))
