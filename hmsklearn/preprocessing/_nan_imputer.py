"""NaNImputer: gaps filled from the channel's own other samples."""

from __future__ import annotations

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.missing import FILL_STRATEGIES, fill_nan

__all__ = ["NaNImputer"]


class NaNImputer(BaseSignalTransformer):
    """Fill NaN in each window and channel.

    Parameters
    ----------
    strategy : {"mean", "zero", "linear"}, default="mean"
        ``"mean"``: mean of the samples of this window and channel that are there.
        ``"zero"``: 0. ``"linear"``: straight line across gaps inside, 0 before the
        first and after the last sample that is there.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: for an unknown strategy.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in and out, same unit, same dtype. Nothing is
    learned from other windows. A channel that is NaN throughout becomes 0. Samples
    that are there are never changed.

    References
    ----------
    ``"mean"`` is what the 2nd place (discussion 492254) and the public notebooks do,
    ``"zero"`` the organisers, ``"linear"`` the 7th place (discussion 492281).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.preprocessing import NaNImputer
    >>> X = np.array([[[np.nan, 1.0, np.nan, 5.0]]])
    >>> NaNImputer().fit_transform(X)
    array([[[3., 1., 3., 5.]]])
    >>> NaNImputer(strategy="linear").fit_transform(X)
    array([[[0., 1., 3., 5.]]])
    """

    _allow_nan = True

    def __init__(self, strategy: str = "mean") -> None:
        self.strategy = strategy

    def _fit(self, X: np.ndarray) -> None:
        check_choice(
            self.strategy, "strategy", FILL_STRATEGIES, caller=type(self).__name__
        )

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        return X.shape[1:]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return fill_nan(X, self.strategy, out=out)
