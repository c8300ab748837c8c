"""ViewUnion: several views of the same window, side by side for nets with branches."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from hmsklearn._compat import num_samples
from hmsklearn._threads import in_threads
from hmsklearn.imaging._view_composition import ViewComposition
from hmsklearn.imaging._views import admit_input, chunks_of, naming, take
from hmsklearn.signal.arrays import is_tensor
from hmsklearn.views import WindowViews

__all__ = ["ViewUnion"]


class ViewUnion(ViewComposition, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Make several views of the same windows, each with a shape of its own.

    The counterpart of :class:`WindowUnion` for nets with several branches: every view
    is a transformer, usually a pipeline, that gets the same `X`, and the results
    travel on as one :class:`hmsklearn.views.WindowViews`.

    Parameters
    ----------
    views : list of (str, transformer)
        The views by name. Their parameters are reached as ``name__parameter``. A view
        may be ``"passthrough"``, `X` itself, or ``"drop"``, left out.

    Attributes
    ----------
    views_ : list of (str, transformer)
        The fitted views that are not dropped.
    n_features_in_ : int
        Number of channels seen in ``fit``; only where the first view tells.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable or a view refuses `X`.

    See Also
    --------
    WindowUnion : Puts the views into one image, film or stack of planes.
    hmsklearn.views.WindowViews : What comes out.

    Notes
    -----
    `X` are windows ``(n_windows, n_channels, n_times)``, images, rows of a table where
    all views begin with a reader, which may read different things, or a
    :class:`~hmsklearn.views.WindowViews`, of which a view takes its part by
    ``FunctionTransformer(operator.itemgetter("eeg"))``. The views of the output are new
    arrays of any number of axes, float64 where a view gives that, else float32. NaN
    are the business of the views.

    ``transform`` works in chunks, shared among threads, as :class:`WindowUnion` does:
    memory is the output plus a constant. The views' ``transform`` must allow threads.
    A torch tensor is transformed in one piece, with its gradient.

    ``fit`` clones the views. Where none learns, ``transform`` works without it. What
    learns nothing is fitted on the first window, as in :class:`WindowUnion`.

    References
    ----------
    Solutions of HMS with branches: organisers' spectrogram, spectrogram of the EEG, raw
    EEG of 50 s and of 10 s (6th place, discussion 492619); spectrogram, drawn waves and
    raw EEG (8th, 492482); raw EEG and two spectrograms (9th, 492429).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from hmsklearn.imaging import ViewUnion, WaveformImager
    >>> from hmsklearn.preprocessing import CentreCrop, Decimator
    >>> X = np.random.default_rng(0).normal(size=(2, 4, 10_000)).astype("float32")
    >>> union = ViewUnion([
    ...     ("signal", Decimator(5)),
    ...     ("image", make_pipeline(CentreCrop(10), WaveformImager(rows=20))),
    ... ])
    >>> union.fit_transform(X)
    WindowViews of 2 windows: signal (4, 2000) float32, image (1, 80, 100) float32
    >>> union.set_params(signal="drop").fit_transform(X)
    WindowViews of 2 windows: image (1, 80, 100) float32
    """

    def __init__(self, views: list[tuple[str, Any]]) -> None:
        self.views = views

    def fit(self, X: Any, y: Any = None, **params: Any) -> ViewUnion:
        """Fit the views.

        Parameters
        ----------
        X : array-like, Tensor, DataFrame or WindowViews
            Windows, images or rows.
        y : object, optional
            Passed on to views that learn; the transformers of this package ignore it.
        **params : dict
            Metadata, routed to the views that ask for it. Only with metadata routing
            switched on.

        Returns
        -------
        self : ViewUnion
            The union.

        Raises
        ------
        ValueError
            If a parameter is unusable or a view refuses `X`.
        """
        self._fit(X, y, params, look=True)
        return self

    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> WindowViews:
        """Fit the views and transform the same windows.

        Parameters
        ----------
        X : array-like, Tensor, DataFrame or WindowViews
            Windows, images or rows.
        y : object, optional
            Passed on to views that learn; the transformers of this package ignore it.
        **params : dict
            Metadata, routed to the views that ask for it. Only with metadata routing
            switched on.

        Returns
        -------
        WindowViews
            The result of each view, by its name.

        Raises
        ------
        ValueError
            If a parameter is unusable or a view refuses `X`.
        """
        # What the first steps would look at passes through them right away.
        return self._run(self._fit(X, y, params, look=False))

    def transform(self, X: Any) -> WindowViews:
        """Transform windows by every view.

        Parameters
        ----------
        X : array-like, Tensor, DataFrame or WindowViews
            Windows, images or rows.

        Returns
        -------
        WindowViews
            The result of each view, by its name.

        Raises
        ------
        NotFittedError
            Before ``fit``, if a view learns.
        ValueError
            If a view refuses `X`.
        """
        if not hasattr(self, "views_"):
            check_is_fitted(self)  # fine where nothing is learned
            return clone(self).fit_transform(X)
        return self._run(admit_input(X, caller=type(self).__name__))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the planes (axis 1) of all views.

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the input's channels.

        Returns
        -------
        ndarray of str objects
            The planes of the views in turn, each as ``view__plane``.

        Raises
        ------
        AttributeError
            If a view does not tell its names.
        """
        check_is_fitted(self, "views_")
        names = [
            f"{name}__{one}"
            for name, view in self.views_
            for one in self._names_of(name, view, input_features)
        ]
        return np.asarray(names, dtype=object)

    def set_output(self, *, transform: Any = None) -> ViewUnion:
        """Accept scikit-learn's output configuration and change nothing.

        Views are arrays of three axes or more; the method exists so that
        ``Pipeline.set_output`` works.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            Ignored.

        Returns
        -------
        self : ViewUnion
            The union.
        """
        return self

    def _fit(self, X: Any, y: Any, params: dict[str, Any], *, look: bool) -> Any:
        X, fitted = self._fit_views(X, y, params, look=look)
        self._outputs(fitted, take(X, slice(0, 1)))  # complains, if there is reason to
        self.views_ = fitted
        return X

    def _run(self, X: Any) -> WindowViews:
        names = [name for name, _ in self.views_]
        if is_tensor(X):
            results = self._outputs(self.views_, X)
            # What passes through is a tensor of its own, as arrays are below.
            own = [each.clone() if each is X else each for each in results]
            return WindowViews(dict(zip(names, own, strict=True)))
        caller = type(self).__name__
        n_windows = num_samples(X)
        # The first chunk tells what comes out.
        first, *chunks = chunks_of(X)
        whole: dict[str, np.ndarray] = {}
        results = self._outputs(self.views_, take(X, first))
        for name, result in zip(names, results, strict=True):
            if is_tensor(result):
                raise TypeError(
                    f"{caller}: view {name!r}: gave a tensor for an array. Give X as a "
                    "tensor, or let the view give arrays."
                )
            whole[name] = np.empty((n_windows, *result.shape[1:]), dtype=result.dtype)
            whole[name][first] = result
        del results

        def run(where: slice) -> None:
            chunk = take(X, where)
            for name, view in self.views_:
                # One view after the other, so that one at a time is in memory.
                [result] = self._outputs([(name, view)], chunk, where.start)
                shape = whole[name].shape[1:]
                if result.shape[1:] != shape:
                    with naming(name, caller):
                        raise ValueError(
                            f"gave windows of shape {tuple(result.shape[1:])} after "
                            f"windows of shape {shape}. All must have one shape."
                        )
                whole[name][where] = result

        in_threads(run, chunks)
        return WindowViews(whole)
