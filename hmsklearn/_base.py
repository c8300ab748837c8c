"""The one door through which every array enters a transformer.

The base class checks, remembers the number of channels, cuts the work into chunks
and answers scikit-learn's questions; a subclass writes the mathematics of one chunk.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from hmsklearn._threads import in_threads
from hmsklearn._windows import admit, check_windows, float_dtype
from hmsklearn.signal.arrays import Array, is_tensor

__all__ = ["BaseSignalTransformer", "check_windows"]

# So much input at a time: a chunk is checked and then transformed while it is still
# in the cache, and what is made on the way stays small. Larger chunks were slower.
_CHUNK_BYTES = 4 * 2**20


class BaseSignalTransformer(  # type: ignore[call-arg]  # TransformerMixin takes it
    TransformerMixin, BaseEstimator, auto_wrap_output_keys=None
):
    """Base class of the transformers of windows.

    Subclasses set the class attributes below and write ``_fit(X)``, which checks
    the parameters and derives constants from them and from the shape of `X`, and
    ``_transform(X, out=None)``, which maps windows to a new array, or to a new tensor
    where they are one. Where ``_output_shape(X)``, the shape of one transformed window,
    is defined too, arrays come with the chunk of the output to write into, so that
    every value is written once. Optionally ``_feature_names_out(names)``.

    All of them are stateless: nothing is learned from the values of `X`, only its
    shape is remembered, so ``transform`` also works without ``fit``.

    Notes
    -----
    `y` is ignored everywhere. The input is never written to. float32 stays float32,
    float64 stays float64, other numbers become float32, chunk by chunk. Memory is
    the output plus a constant. ``n_features_in_`` is the number of channels.

    Chunks are shared among as many threads as torch uses (``torch.set_num_threads``,
    the environment variable ``OMP_NUM_THREADS``, and joblib's share of the cores in its
    workers), each with one BLAS thread. Their number changes nothing in the result.

    A torch tensor comes back as a tensor on its device, in one piece and with its
    gradient. Its values are not looked at, since that would make a GPU wait: NaN and
    infinity pass through.
    """

    #: Accepted numbers of axes of X.
    _ndim: tuple[int, ...] = (3,)
    #: Whether NaN may enter.
    _allow_nan = False
    #: Whether torch tensors may be given in the place of arrays.
    _takes_tensors = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Without this, a subclass that defines transform itself would have its
        # three-dimensional output handed to pandas under set_config.
        super().__init_subclass__(**{"auto_wrap_output_keys": None, **kwargs})

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
        if not is_tensor(X):
            for where in self._chunks(X):
                self._admit(X, where)
        return self._remember(X)

    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Check the parameters against the data and transform the same windows.

        The same as ``fit`` and then ``transform``, with one pass over `X` less.

        Parameters
        ----------
        X : array-like
            Windows, see the class docstring for the shape.
        y : object, optional
            Ignored.

        Returns
        -------
        ndarray
            A new array, see the class docstring for the shape.

        Raises
        ------
        ValueError
            If `X` or a parameter is not usable.
        """
        X = self._check(X)
        self._remember(X)
        return self._transform(X) if is_tensor(X) else self._run(X)

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
            return clone(self).fit_transform(X)
        X = self._check(X, n_channels=self.n_features_in_)
        return self._transform(X) if is_tensor(X) else self._run(X)

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

    def _check(self, X: Any, n_channels: int | None = None) -> Array:
        return check_windows(
            X,
            caller=type(self).__name__,
            ndim=self._ndim,
            allow_nan=self._allow_nan,
            n_channels=n_channels,
            lazy=True,
        )

    def _remember(self, X: Array) -> BaseSignalTransformer:
        self._fit(X)
        self.n_features_in_ = X.shape[1]
        return self

    def _chunks(self, X: np.ndarray) -> list[slice]:
        # The cut must not depend on the number of threads: sums are rounded alike.
        step = max(1, _CHUNK_BYTES // X[:1].nbytes)
        starts = range(0, X.shape[0], step)
        return [slice(start, min(start + step, X.shape[0])) for start in starts]

    def _admit(self, X: np.ndarray, where: slice) -> np.ndarray:
        return admit(
            X[where],
            caller=type(self).__name__,
            allow_nan=self._allow_nan,
            first=where.start,
        )

    def _run(self, X: np.ndarray) -> np.ndarray:
        chunks = self._chunks(X)
        shape = self._output_shape(X)
        if shape is None:
            # The first chunk tells what comes out.
            first, *chunks = chunks
            done = self._transform(self._admit(X, first))
            if not chunks:
                return done
            out = np.empty((len(X), *done.shape[1:]), dtype=done.dtype)
            out[first] = done
            del done
        else:
            out = np.empty((len(X), *shape), dtype=float_dtype(X))

        def run(where: slice) -> None:
            chunk = self._admit(X, where)
            if shape is None:
                out[where] = self._transform(chunk)
            else:
                self._transform(chunk, out[where])

        in_threads(run, chunks)
        return out

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

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...] | None:
        """Shape of one transformed window, or None where only ``_transform`` knows."""
        return None

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        """Windows in; the transformed ones out, in `out` where it is given."""
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
