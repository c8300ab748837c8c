"""The one door through which every array enters a transformer.

The base class checks, remembers the number of channels, cuts the work into chunks
and answers scikit-learn's questions; a subclass writes the mathematics of one chunk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted

__all__ = ["BaseSignalTransformer", "check_windows"]

_AXES = {
    3: "(n_windows, n_channels, n_times)",
    4: "(n_windows, n_planes, height, width)",
}

# A chunk and what is made from it should stay well under the caches' and the
# memory's limits; larger chunks were not faster for any transform here.
_CHUNK_BYTES = 32 * 2**20


def check_windows(
    X: Any,
    *,
    caller: str,
    ndim: tuple[int, ...] = (3,),
    allow_nan: bool = False,
    n_channels: int | None = None,
    min_times: int = 1,
    nan_remedy: str = (
        "Fill them first, for instance with hmsklearn.preprocessing.NaNImputer."
    ),
) -> np.ndarray:
    """Check an array of windows: shape, dtype, finiteness, size.

    Parameters
    ----------
    X : array-like
        Windows, time (or width) last.
    caller : str
        Name that starts the error messages, usually the estimator's class.
    ndim : tuple of int, default=(3,)
        Accepted numbers of axes: 3 for signals, 4 for images.
    allow_nan : bool, default=False
        Whether NaN may pass. Infinite values never do.
    n_channels : int, optional
        Number of channels (axis 1) that `X` must have.
    min_times : int, default=1
        Smallest length of the last axis.
    nan_remedy : str, optional
        What the error about NaN advises.

    Returns
    -------
    ndarray
        `X` itself where it is float32 or float64, else converted to float32.

    Raises
    ------
    ValueError
        For anything that does not fit, with cause and remedy.
    TypeError
        For sparse input.

    Examples
    --------
    >>> check_windows([[[1, 2, 3]]], caller="doctest").dtype
    dtype('float32')
    >>> check_windows([[1, 2, 3]], caller="doctest")
    Traceback (most recent call last):
        ...
    ValueError: doctest: X has 2 dimensions and shape (1, 3), expected (n_windows, \
n_channels, n_times). For a single window pass X[None].
    """
    X = check_array(
        X,
        dtype=[np.float32, np.float64],
        ensure_2d=False,
        allow_nd=True,
        ensure_all_finite=False,
        ensure_min_samples=0,
        ensure_min_features=0,
        estimator=caller,
        input_name="X",
    )
    if X.ndim not in ndim:
        expected = " or ".join(_AXES[n] for n in ndim)
        remedy = (
            "For a single window pass X[None]."
            if X.ndim == min(ndim) - 1
            else "Check the order of the pipeline's steps."
        )
        raise ValueError(
            f"{caller}: X has {X.ndim} dimensions and shape {X.shape}, expected "
            f"{expected}. {remedy}"
        )
    if X.shape[0] == 0:
        raise ValueError(
            f"{caller}: Found array with 0 sample(s) (shape={X.shape}) while a minimum "
            "of 1 is required."
        )
    if X.shape[1] == 0:
        raise ValueError(
            f"{caller}: Found array with 0 feature(s) (shape={X.shape}) while a "
            "minimum of 1 is required: there are no channels."
        )
    if n_channels is not None and X.shape[1] != n_channels:
        raise ValueError(
            f"{caller}: X has {X.shape[1]} channels (axis 1), but {caller} is "
            f"expecting {n_channels} channels as input."
        )
    if X.shape[-1] < min_times:
        raise ValueError(
            f"{caller}: X has {X.shape[-1]} samples in time (last axis), at least "
            f"{min_times} are needed. Give longer windows."
        )
    _check_finite(X, caller, allow_nan, nan_remedy)
    return X


def _check_finite(X: np.ndarray, caller: str, allow_nan: bool, remedy: str) -> None:
    # A sum meets NaN and inf in one pass without a mask the size of X; only when
    # it is not finite (or overflows) does the exact search run, window by window.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(X.sum(dtype=np.float64)):
            return
    for window, values in enumerate(X):
        if np.isinf(values).any():
            channel = int(np.argwhere(np.isinf(values))[0][0])
            raise ValueError(
                f"{caller}: X contains infinity (first in window {window}, channel "
                f"{channel}). No transform is defined for it: repair the recording."
            )
        if not allow_nan and np.isnan(values).any():
            channel = int(np.argwhere(np.isnan(values))[0][0])
            raise ValueError(
                f"{caller}: X contains NaN (first in window {window}, channel "
                f"{channel}). {remedy}"
            )


class BaseSignalTransformer(
    TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """Base class of the transformers of windows.

    Subclasses set the class attributes below and write ``_fit(X)``, which checks
    the parameters and derives constants from them and from the shape of `X`, and
    ``_transform(X)``, which maps one chunk of windows to a new array. Optionally
    ``_feature_names_out(names)``.

    All of them are stateless: nothing is learned from the values of `X`, only its
    shape is remembered, so ``transform`` also works without ``fit``.

    Notes
    -----
    `y` is ignored everywhere. The input is never written to. float32 stays float32,
    float64 stays float64, other numbers become float32. ``n_features_in_`` is the
    number of channels.
    """

    #: Accepted numbers of axes of X.
    _ndim: tuple[int, ...] = (3,)
    #: Whether NaN may enter.
    _allow_nan = False

    def fit(self, X: Any, y: Any = None) -> BaseSignalTransformer:
        """Check the parameters against the data.

        Parameters
        ----------
        X : array-like
            Windows, see the class docstring for the shape.
        y : object, optional
            Ignored.

        Returns
        -------
        self : object
            The transformer.

        Raises
        ------
        ValueError
            If `X` or a parameter is not usable.
        """
        X = self._check(X)
        self._fit(X)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Transform the windows, chunk by chunk.

        Parameters
        ----------
        X : array-like
            Windows with as many channels as in ``fit``.

        Returns
        -------
        ndarray
            A new array, see the class docstring for the shape.

        Raises
        ------
        ValueError
            If `X` is not usable or its number of channels differs from ``fit``.
        """
        if not hasattr(self, "n_features_in_"):
            return clone(self).fit(X).transform(X)
        X = self._check(X, n_channels=self.n_features_in_)
        step = max(1, _CHUNK_BYTES // max(1, X[:1].nbytes))
        first = self._transform(X[:step])
        if X.shape[0] <= step:
            return first
        out = np.empty((X.shape[0], *first.shape[1:]), dtype=first.dtype)
        out[:step] = first
        del first
        for start in range(step, X.shape[0], step):
            out[start : start + step] = self._transform(X[start : start + step])
        return out

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the output's channels or planes (axis 1).

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the input's channels; ``x0``, ``x1``, ... without them.

        Returns
        -------
        ndarray of str objects
            One name for each entry of axis 1 of the output.

        Raises
        ------
        ValueError
            If the number of names differs from the number of channels in ``fit``.
        """
        check_is_fitted(self, "n_features_in_")
        names = self._check_names(input_features)
        return np.asarray(self._feature_names_out(names), dtype=object)

    def set_output(self, *, transform: Any = None) -> BaseSignalTransformer:
        """Accept scikit-learn's output configuration and change nothing.

        Windows have three axes or more and stay NumPy arrays; the method exists so
        that ``Pipeline.set_output`` works.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            Ignored.

        Returns
        -------
        self : object
            The transformer.
        """
        return self

    def _check(self, X: Any, n_channels: int | None = None) -> np.ndarray:
        return check_windows(
            X,
            caller=type(self).__name__,
            ndim=self._ndim,
            allow_nan=self._allow_nan,
            n_channels=n_channels,
        )

    def _check_names(self, input_features: Any) -> list[str]:
        if input_features is None:
            return [f"x{i}" for i in range(self.n_features_in_)]
        names = [str(name) for name in input_features]
        if len(names) != self.n_features_in_:
            raise ValueError(
                f"{type(self).__name__}: input_features should have length equal to "
                f"the number of channels ({self.n_features_in_}), got {len(names)}."
            )
        return names

    def _fit(self, X: np.ndarray) -> None:
        """Check the parameters; derive constants (attributes ending in ``_``)."""

    def _transform(self, X: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def _feature_names_out(self, names: list[str]) -> list[str]:
        return names

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = 3 in self._ndim
        tags.input_tags.allow_nan = self._allow_nan
        tags.requires_fit = False
        tags.target_tags.required = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
