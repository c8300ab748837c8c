"""What all test-time transforms share: which views they change, and their errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse
import torch

from hmsklearn.signal.arrays import is_tensor
from hmsklearn.views import WindowViews

__all__ = [
    "Identity",
    "Transform",
    "in_chunks",
    "label_transform",
    "naming_transform",
]

# So much is flipped at a time: what torch makes on the way stays small.
_CHUNK_BYTES = 16 * 2**20


class Transform:
    """Base of the transforms: which views they change, and how they are called.

    Parameters
    ----------
    views : sequence of str, optional
        Names of the views that are changed, where windows have several; all by default.
    """

    def __init__(self, views: Sequence[str] | None = None) -> None:
        if isinstance(views, str) or (views is not None and not list(views)):
            raise ValueError(f"views must be a list of names, got {views!r}.")
        self.views = None if views is None else list(views)

    def __call__(self, X: Any) -> Any:
        """Change windows.

        Parameters
        ----------
        X : array-like, Tensor or WindowViews
            Windows, images or several views of them.

        Returns
        -------
        ndarray, Tensor or WindowViews
            New windows, of which shifts and segments share memory with `X`.
        """
        if not isinstance(X, Mapping):
            if self.views is not None:
                raise ValueError(
                    f"views={self.views} names views, the windows have only one."
                )
            return self._change(_as_windows(X), None)
        unknown = [view for view in self.views or () if view not in X]
        if unknown:
            raise ValueError(f"there is no view {unknown[0]!r}, only {list(X)}.")
        changed = {
            name: self._change(_as_windows(view), name)
            if self.views is None or name in self.views
            else view
            for name, view in X.items()
        }
        return WindowViews(changed)

    def _change(self, x: Any, view: str | None) -> Any:
        raise NotImplementedError


class Identity(Transform):
    """Leave windows as they are."""

    def __init__(self) -> None:
        super().__init__()

    def __call__(self, X: Any) -> Any:
        """Return the windows themselves.

        Parameters
        ----------
        X : object
            Anything.

        Returns
        -------
        object
            `X`.
        """
        return X


class _Labelled(Transform):
    """A transform whose errors say which one it is, and in what."""

    def __init__(self, caller: str, label: str, transform: Transform) -> None:
        super().__init__()
        self.caller = caller
        self.label = label
        self.transform = transform

    def __call__(self, X: Any) -> Any:
        with naming_transform(self.caller, self.label):
            return self.transform(X)


def label_transform(caller: str, label: str, transform: Transform) -> Transform:
    """Let a transform's errors begin with what it is called.

    Parameters
    ----------
    caller : str
        Name that starts the error messages.
    label : str
        Name of the transform.
    transform : Transform
        The transform.

    Returns
    -------
    Transform
        The same with better errors; the identity as it is.
    """
    if isinstance(transform, Identity):
        return transform
    return _Labelled(caller, label, transform)


@contextmanager
def naming_transform(caller: str, label: str) -> Iterator[None]:
    """Put the name of the transform in front of an error.

    Parameters
    ----------
    caller : str
        Name that starts the error messages.
    label : str
        Name of the transform.

    Yields
    ------
    None
        Nothing.
    """
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{caller}: transform {label!r}: {error}") from error


def _as_windows(X: Any) -> Any:
    """Return an array or tensor with a time axis, or say what came instead."""
    if is_tensor(X):
        return X
    if scipy.sparse.issparse(X):
        raise TypeError("sparse X is not supported. Give an array of windows.")
    X = X if isinstance(X, np.ndarray) else np.asarray(X)
    if X.dtype.kind not in "biuf":
        what = "Complex data" if X.dtype.kind == "c" else f"X of type {X.dtype}"
        raise ValueError(f"{what} is not supported. Give windows of real numbers.")
    if X.ndim not in (3, 4, 5):
        raise ValueError(
            f"takes windows of 3, 4 or 5 axes, got X of shape {X.shape}. Windows are "
            "(n_windows, n_channels, n_times), images (n_windows, n_planes, height, "
            "width)."
        )
    return X


def in_chunks(x: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Change windows that keep their shape, a few at a time.

    Parameters
    ----------
    x : ndarray or Tensor
        Windows.
    change : callable
        Takes a tensor of windows and gives one of the same shape.

    Returns
    -------
    ndarray or Tensor
        New windows of the type of `x`, float32 where it is not floating point.
    """
    if is_tensor(x):
        return change(x)
    floats = x.dtype.kind == "f"
    dtype = x.dtype.newbyteorder("=") if floats else np.dtype(np.float32)
    out = np.empty(x.shape, dtype=dtype)
    step = max(1, _CHUNK_BYTES // max(1, x[:1].nbytes))
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        # A copy: torch would warn about an array that must not be written to.
        out[part] = change(torch.tensor(x[part].astype(dtype))).numpy()
    return out
