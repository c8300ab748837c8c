"""WindowUnion: several views of the same window in one picture."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from hmsklearn._compat import num_samples
from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn._threads import in_threads
from hmsklearn.imaging._join import JOINS, JoinPlan, plan_join
from hmsklearn.imaging._view_composition import ViewComposition
from hmsklearn.imaging._views import (
    admit_input,
    chunks_of,
    take,
)
from hmsklearn.signal.arrays import Array, is_tensor

__all__ = ["WindowUnion"]


class WindowUnion(ViewComposition, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Put several views of the same windows together.

    The counterpart of scikit-learn's ``FeatureUnion`` for images: every view is a
    transformer, usually a pipeline, that gets the same `X`.

    Parameters
    ----------
    views : list of (str, transformer)
        The views by name. Their parameters are reached as ``name__parameter``. A view
        may be ``"passthrough"``, `X` itself, or ``"drop"``, left out.
    join : str, default="width"
        How they are put together. ``"width"``: side by side. ``"height"``: on top of
        each other, the first one at row 0. ``"planes"``: as further planes (axis 1).
        ``"frames"``: as frames of a film, ``(n_windows, n_planes, n_frames, height,
        width)``; views that are films already follow each other. ``"centre"``: the
        second view takes the place of the central columns of the first.
    replace : int or float, default=0.2
        With ``"centre"``, how many columns the second view takes the place of, as a
        number, or as a share of the first view's width (rounded down). The default is
        the central 10 s of 50 s. The first of these columns is
        ``(width - replaced) // 2``.

    Attributes
    ----------
    views_ : list of (str, transformer)
        The fitted views that are not dropped.
    n_features_in_ : int
        Number of channels seen in ``fit``; only where the first view tells.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable, a view refuses `X`, or the views do not
        fit together; the message has the shape of each.

    See Also
    --------
    ImageTiler : Puts the planes of one view together, and trims or pads them.
    sklearn.pipeline.FeatureUnion : The same for tables of features.

    Notes
    -----
    `X` are windows ``(n_windows, n_channels, n_times)``, images, or rows of a table
    where all views begin with a reader, which may read different things. The output is
    a new array, float64 where a view gives that, else float32.

    ``transform`` works in chunks, shared among threads as in all transformers of this
    package: each view of a chunk goes to its place in the output at once, so that
    memory is the output plus a constant. The views' ``transform`` must allow threads.
    A torch tensor is transformed in one piece, with its gradient.

    ``fit`` clones the views. Where none learns, ``transform`` works without it. What
    learns nothing (by the tag ``requires_fit``, of all
    steps of a pipeline) is fitted on the first window, after its first step has looked
    at all of `X`; a view that learns is fitted on all of `X`, which a pipeline holds in
    memory at every step.

    Nested unions make what one cannot: planes of views side by side, a zoom within a
    zoom.

    References
    ----------
    Solutions of HMS: 50 s and the central 10 s as 32 frames (2nd place, discussion
    492254); the central 62 of 313 columns replaced by 351, 601 or 1,201 of a closer
    look (3rd, 492471); 50, 30 and 10 s on top of each other (7th, 492281); EEG beside
    the organisers' spectrogram (4th, 492240).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from hmsklearn.imaging import WindowUnion
    >>> from hmsklearn.preprocessing import CentreCrop
    >>> from hmsklearn.spectrogram import MelSpectrogramizer
    >>> X = np.random.default_rng(0).normal(size=(2, 4, 10_000)).astype("float32")
    >>> zoom = make_pipeline(CentreCrop(10), MelSpectrogramizer(width_multiple=1))
    >>> union = WindowUnion(
    ...     [("whole", MelSpectrogramizer(width_multiple=1)), ("zoom", zoom)]
    ... )
    >>> union.fit_transform(X).shape  # 257 columns of 50 s beside 286 of 10 s
    (2, 4, 128, 543)
    >>> union.set_params(join="centre", zoom__centrecrop__seconds=20).fit(X)
    ... # doctest: +ELLIPSIS
    WindowUnion(...)
    >>> union.transform(X).shape
    (2, 4, 128, 473)
    """

    def __init__(
        self,
        views: list[tuple[str, Any]],
        *,
        join: str = "width",
        replace: int | float = 0.2,
    ) -> None:
        self.views = views
        self.join = join
        self.replace = replace

    def fit(self, X: Any, y: Any = None, **params: Any) -> WindowUnion:
        """Fit the views and check that they fit together.

        Parameters
        ----------
        X : array-like, Tensor or DataFrame
            Windows, images or rows.
        y : object, optional
            Passed on to views that learn; the transformers of this package ignore it.
        **params : dict
            Metadata, routed to the views that ask for it. Only with metadata routing
            switched on.

        Returns
        -------
        self : WindowUnion
            The union.

        Raises
        ------
        ValueError
            If a parameter is unusable, a view refuses `X`, or they do not fit together.
        """
        self._fit(X, y, params, look=True)
        return self

    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> np.ndarray:
        """Fit the views and transform the same windows.

        Parameters
        ----------
        X : array-like, Tensor or DataFrame
            Windows, images or rows.
        y : object, optional
            Passed on to views that learn; the transformers of this package ignore it.
        **params : dict
            Metadata, routed to the views that ask for it. Only with metadata routing
            switched on.

        Returns
        -------
        ndarray or Tensor
            The views, put together.

        Raises
        ------
        ValueError
            If a parameter is unusable, a view refuses `X`, or they do not fit together.
        """
        # What the first steps would look at passes through them right away.
        X = self._fit(X, y, params, look=False)
        return self._run(X)

    def transform(self, X: Any) -> np.ndarray:
        """Transform windows by every view and put the results together.

        Parameters
        ----------
        X : array-like, Tensor or DataFrame
            Windows, images or rows.

        Returns
        -------
        ndarray or Tensor
            The views, put together.

        Raises
        ------
        NotFittedError
            Before ``fit``, if a view learns.
        ValueError
            If a view refuses `X` or they do not fit together.
        """
        if not hasattr(self, "views_"):
            check_is_fitted(self)  # fine where nothing is learned
            return clone(self).fit_transform(X)
        return self._run(admit_input(X, caller=type(self).__name__))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the output's planes (axis 1).

        Parameters
        ----------
        input_features : array-like of str, optional
            Names of the input's channels.

        Returns
        -------
        ndarray of str objects
            With ``join="planes"`` the names of all views' planes, ``view__plane``, else
            those of the first view.

        Raises
        ------
        AttributeError
            If a view does not tell its names.
        """
        check_is_fitted(self, "views_")
        views = self.views_ if self.join == "planes" else self.views_[:1]
        names: list[str] = []
        for name, view in views:
            own = self._names_of(name, view, input_features)
            names += [f"{name}__{one}" if len(views) > 1 else str(one) for one in own]
        return np.asarray(names, dtype=object)

    def set_output(self, *, transform: Any = None) -> WindowUnion:
        """Accept scikit-learn's output configuration and change nothing.

        Images have four axes or more and stay NumPy arrays; the method exists so that
        ``Pipeline.set_output`` works.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            Ignored.

        Returns
        -------
        self : WindowUnion
            The union.
        """
        return self

    def _fit(self, X: Any, y: Any, params: dict[str, Any], *, look: bool) -> Any:
        caller = type(self).__name__
        check_choice(self.join, "join", JOINS, caller=caller)
        if isinstance(self.replace, Integral):
            check_integer(self.replace, "replace", caller=caller, low=1)
        else:
            check_real(
                self.replace, "replace", caller=caller, low=0, high=1, low_open=True
            )
        X, fitted = self._fit_views(X, y, params, look=look)
        self._plan(fitted, self._outputs(fitted, take(X, slice(0, 1))))
        self.views_ = fitted
        return X

    def _plan(self, views: list[tuple[str, Any]], results: list[Array]) -> JoinPlan:
        return plan_join(
            [name for name, _ in views],
            [tuple(result.shape[1:]) for result in results],
            self.join,
            self.replace,
            caller=type(self).__name__,
        )

    def _run(self, X: Any) -> Array:
        if is_tensor(X):
            results = self._outputs(self.views_, X)
            return self._plan(self.views_, results).concatenate(results)
        # The first chunk tells what comes out.
        first, *chunks = chunks_of(X)
        results = self._outputs(self.views_, take(X, first))
        plan = self._plan(self.views_, results)
        if not chunks:
            return plan.concatenate(results)
        dtype = np.result_type(*(result.dtype for result in results))
        out = np.empty((num_samples(X), *plan.shape), dtype=dtype)
        for number, result in enumerate(results):
            plan.write(number, result, out[first])
        del results

        def run(where: slice) -> None:
            chunk = take(X, where)
            for number, view in enumerate(self.views_):
                # One view after the other, so that one at a time is in memory.
                [result] = self._outputs([view], chunk, where.start)
                plan.write(number, result, out[where])

        in_threads(run, chunks)
        return out
