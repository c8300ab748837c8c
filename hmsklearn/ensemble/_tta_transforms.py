"""Changes of windows at prediction: flips, shifts and segments.

A transform takes windows, images or several views of them and gives new ones whose
label is the same. What is random in training is done to all windows here: the flips
are those of :mod:`hmsklearn.augmentation`, applied with certainty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from hmsklearn._compat import num_samples
from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.augmentation import BaseAugmentation, TimeShift
from hmsklearn.ensemble._tta_base import Transform, in_chunks

__all__ = ["Composition", "Custom", "Flip", "Segment", "Shift"]

#: What becomes of the length where windows move, see TimeShift for all but the first.
ENDS = ("cut", "edge", "reflect", "roll", "zero")


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
        return in_chunks(x, lambda part: self._flip(part, view))

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

    return in_chunks(x, move)
