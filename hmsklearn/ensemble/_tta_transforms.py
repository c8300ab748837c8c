"""Changes of windows at prediction: flips, shifts and segments.

A transform takes windows, images or several views of them and gives new ones whose
label is the same. What is random in training is done to all windows here: the flips
are those of :mod:`hmsklearn.augmentation`, applied with certainty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse
import torch

from hmsklearn._compat import num_samples
from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.augmentation import BaseAugmentation, TimeShift
from hmsklearn.signal.arrays import is_tensor
from hmsklearn.views import WindowViews

__all__ = [
    "Composition",
    "Custom",
    "Flip",
    "Identity",
    "Segment",
    "Shift",
    "Transform",
    "label_transform",
    "naming_transform",
]

#: What becomes of the length where windows move, see TimeShift for all but the first.
ENDS = ("cut", "edge", "reflect", "roll", "zero")

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


class Flip(Transform):
    """Apply an augmentation that has nothing random but whether it acts.

    Parameters
    ----------
    augmentation : BaseAugmentation
        The augmentation.
    """

    def __init__(self, augmentation: BaseAugmentation) -> None:
        augmentation.check()
        super().__init__(augmentation.views)
        self.augmentation = augmentation

    def _change(self, x: Any, view: str | None) -> Any:
        return _in_chunks(x, lambda part: self._flip(part, view))

    def _flip(self, x: torch.Tensor, view: str | None) -> torch.Tensor:
        all_of_them = torch.ones(len(x), dtype=torch.bool, device=x.device)
        return self.augmentation.transform(x, {"active": all_of_them}, view)


class Shift(Transform):
    """Move the middle of the windows to a later or an earlier time.

    Parameters
    ----------
    seconds : float
        How much later the new middle is; negative for earlier.
    ends : {"cut", "edge", "reflect", "roll", "zero"}, default="cut"
        ``"cut"`` gives the longest part of the window that has this middle, which is
        shorter by twice the shift and holds nothing but samples of the window. The
        others keep the length and fill in what is missing at one end.
    views : sequence of str, optional
        Names of the views that are changed; all by default.
    sfreq : float or dict of str to float
        Samples (or columns) a second.
    """

    def __init__(
        self,
        seconds: float,
        *,
        ends: str = "cut",
        views: Sequence[str] | None = None,
        sfreq: Any = 200.0,
    ) -> None:
        super().__init__(views)
        self.seconds = check_real(seconds, "seconds", caller="shift")
        self.ends = check_choice(ends, "ends", ENDS, caller="shift")
        each = sfreq.values() if isinstance(sfreq, Mapping) else [sfreq]
        for value in each:
            check_real(value, "sfreq", caller="shift", low=0, low_open=True)
        self.sfreq = sfreq

    def _change(self, x: Any, view: str | None) -> Any:
        sfreq = self.sfreq
        if isinstance(sfreq, Mapping):
            if view not in sfreq:
                raise ValueError(
                    f"sfreq has no entry for the view {view!r}, only {list(sfreq)}. "
                    "Add it, or name the views to shift in views."
                )
            sfreq = sfreq[view]
        samples = round(self.seconds * sfreq)
        if abs(samples - self.seconds * sfreq) > 1e-6:
            raise ValueError(
                f"{self.seconds:g} s are not a whole number of samples at "
                f"sfreq={sfreq:g} Hz."
            )
        size = x.shape[-1]
        if 2 * abs(samples) >= size:
            raise ValueError(
                f"windows of shape {tuple(x.shape)} are too short to move their "
                f"middle by {samples} samples. Give longer windows, or shift less."
            )
        if self.ends == "cut":
            return x[..., max(0, 2 * samples) : size + min(0, 2 * samples)]
        return _moved(x, samples, self.ends)


class Segment(Transform):
    """Take one of several equal parts of the windows.

    Parameters
    ----------
    index : int
        Which part, from zero.
    n_segments : int, default=5
        Number of parts. What is left over is cut away at both ends.
    ends : {"cut", "edge", "reflect", "roll", "zero"}, default="cut"
        ``"cut"`` gives the part alone. The others keep the length of the windows:
        the part comes to stand in the middle, and what is missing at one end is
        filled in.
    views : sequence of str, optional
        Names of the views that are changed; all by default.
    """

    def __init__(
        self,
        index: int,
        *,
        n_segments: int = 5,
        ends: str = "cut",
        views: Sequence[str] | None = None,
    ) -> None:
        super().__init__(views)
        self.n_segments = check_integer(
            n_segments, "n_segments", caller="segment", low=1
        )
        self.index = check_integer(
            index, "index", caller="segment", low=0, high=self.n_segments - 1
        )
        self.ends = check_choice(ends, "ends", ENDS, caller="segment")

    def _change(self, x: Any, view: str | None) -> Any:
        size = x.shape[-1]
        length = size // self.n_segments
        if length == 0:
            raise ValueError(
                f"windows of shape {tuple(x.shape)} cannot be cut into "
                f"{self.n_segments} parts. Give longer windows."
            )
        start = (size - self.n_segments * length) // 2 + self.index * length
        if self.ends == "cut":
            return x[..., start : start + length]
        return _moved(x, start - (size - length) // 2, self.ends)


class Composition(Transform):
    """Apply several transforms one after the other.

    Parameters
    ----------
    transforms : sequence of Transform
        The transforms in order.
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        super().__init__()
        self.transforms = list(transforms)

    def __call__(self, X: Any) -> Any:
        """Change windows.

        Parameters
        ----------
        X : array-like, Tensor or WindowViews
            Windows, images or several views of them.

        Returns
        -------
        ndarray, Tensor or WindowViews
            New windows.
        """
        for transform in self.transforms:
            X = transform(X)
        return X


class Custom(Transform):
    """Call a function of the user.

    Parameters
    ----------
    function : callable
        Takes what stands before the step and gives as many windows.
    """

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def __call__(self, X: Any) -> Any:
        """Change windows.

        Parameters
        ----------
        X : object
            Whatever stands before the step, rows of a table too.

        Returns
        -------
        object
            What the function gives.
        """
        out = self.function(X)
        try:
            n_windows = num_samples(out)
        except TypeError:
            n_windows = None
        if n_windows != num_samples(X):
            raise ValueError(
                f"gave {n_windows} windows for {num_samples(X)}. Give one for each."
            )
        return out


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


def _moved(x: Any, samples: int, ends: str) -> Any:
    """Bring what was `samples` later than the middle into the middle."""
    shifted = TimeShift(ends=ends)

    def move(part: torch.Tensor) -> torch.Tensor:
        n, size = len(part), part.shape[-1]
        drawn = {
            "active": torch.ones(n, dtype=torch.bool, device=part.device),
            "shift": torch.full(
                (n,), -samples / size, dtype=torch.float64, device=part.device
            ),
        }
        return shifted.transform(part, drawn)

    return _in_chunks(x, move)


def _in_chunks(x: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Change windows that keep their shape, a few at a time."""
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
