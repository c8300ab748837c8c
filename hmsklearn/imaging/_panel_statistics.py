"""PanelStatistics: minimum, maximum, mean, range and percentiles of panels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice, check_real
from hmsklearn.signal.arrays import Array, namespace
from hmsklearn.signal.panels import STATISTICS, Statistic, panel_statistics

__all__ = ["PanelStatistics"]

_AXES = {"panels": 1, "frequency": 2, "time": 3}
_OUTPUTS = ("images", "appended", "table")


class PanelStatistics(BaseSignalTransformer):
    """Statistics over the panels of a spectrogram, its time or its frequencies.

    Parameters
    ----------
    statistics : sequence of str and float, default=("min", "max", "mean", "range")
        ``"min"``, ``"max"``, ``"mean"``, ``"range"`` (max - min), ``"std"``, and
        numbers from 0 to 100, which are percentiles.
    over : {"panels", "time", "frequency"}, default="panels"
        Over what, for each pixel, each row or each column: the planes (axis 1), the
        width or the height.
    output : {"images", "appended", "table"}, default="images"
        The statistics in place of what they are over (planes, columns or rows), behind
        it as further planes, columns or rows, or as one row of numbers for each window.

    Attributes
    ----------
    n_features_in_ : int
        Number of planes seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable.

    Notes
    -----
    ``(n_windows, n_planes, height, width)`` in. With k statistics out comes, same
    dtype: over panels ``(n, k, height, width)``, over time ``(n, n_planes, height,
    k)``, over frequency ``(n, n_planes, k, width)``; appended, the length of that axis
    is the sum; as a table ``(n, n_planes * height * k)`` for time, the statistics of
    one row next to each other, and so on.

    NaN is left out; a statistic of nothing but NaN is NaN
    (:class:`ImageStandardizer` removes it). Percentiles are interpolated linearly.

    References
    ----------
    Cranjis-McB's notebooks for HMS: minimum, maximum, mean and range over the four
    panels as "global features", 20th, 40th, 60th and 80th percentile beside the image.
    Mean and minimum over time as a table, over ten minutes and the central 20 s: the
    public gradient boosting notebooks (discussion 467576).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.imaging import PanelStatistics
    >>> panels = np.random.default_rng(0).gamma(1.0, size=(2, 4, 100, 300))
    >>> step = PanelStatistics().fit(panels)
    >>> step.transform(panels).shape, step.get_feature_names_out()
    ((2, 4, 100, 300), array(['min', 'max', 'mean', 'range'], dtype=object))
    >>> percentiles = PanelStatistics((20, 40, 60, 80), over="time", output="appended")
    >>> percentiles.fit_transform(panels).shape
    (2, 4, 100, 304)
    >>> PanelStatistics(("mean", "min"), over="time", output="table").fit_transform(
    ...     panels
    ... ).shape
    (2, 800)
    """

    _ndim = (4,)
    _allow_nan = True

    def __init__(
        self,
        statistics: Sequence[Statistic] = ("min", "max", "mean", "range"),
        *,
        over: str = "panels",
        output: str = "images",
    ) -> None:
        self.statistics = statistics
        self.over = over
        self.output = output

    def _fit(self, X: Array) -> None:
        caller = type(self).__name__
        check_choice(self.over, "over", tuple(_AXES), caller=caller)
        check_choice(self.output, "output", _OUTPUTS, caller=caller)
        given = self.statistics
        if not isinstance(given, (tuple, list)) or not len(given):
            raise ValueError(
                f"{caller}: statistics must be a list of names out of "
                f"{', '.join(STATISTICS)} and percentiles, got {given!r}."
            )
        for i, statistic in enumerate(given):
            name = f"statistics[{i}]"
            if isinstance(statistic, str):
                check_choice(statistic, name, STATISTICS, caller=caller)
            else:
                check_real(statistic, name, caller=caller, low=0, high=100)
        self._names = [
            one if isinstance(one, str) else f"percentile{one:g}" for one in given
        ]
        if len(set(self._names)) != len(self._names):
            raise ValueError(
                f"{caller}: statistics={given!r} holds one twice. Leave one out."
            )
        self._shape = tuple(X.shape[1:])

    def _output_shape(self, X: Array) -> tuple[int, ...]:
        axis = _AXES[self.over] - 1
        shape = list(X.shape[1:])
        k = len(self.statistics)
        if self.output == "table":
            return (int(np.prod(shape)) // shape[axis] * k,)
        shape[axis] = k if self.output == "images" else shape[axis] + k
        return tuple(shape)

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        axis = _AXES[self.over]
        if self.output == "images":
            return panel_statistics(X, self.statistics, axis, out=out)
        if self.output == "table":
            values = panel_statistics(X, self.statistics, axis)
            rows = namespace(X).moveaxis(values, axis, -1).reshape(len(X), -1)
            if out is None:
                return rows
            out[...] = rows
            return out
        if out is None:
            found = panel_statistics(X, self.statistics, axis)
            return namespace(X).concatenate([X, found], axis)
        before = (slice(None),) * axis
        length = X.shape[axis]
        out[(*before, slice(length))] = X
        panel_statistics(
            X, self.statistics, axis, out=out[(*before, slice(length, None))]
        )
        return out

    def _feature_names_out(self, names: list[str]) -> list[str]:
        if self.output == "table":
            _, height, width = self._shape
            if self.over == "panels":
                places = [
                    f"{row}_{column}"
                    for row in range(height)
                    for column in range(width)
                ]
            else:
                length = height if self.over == "time" else width
                places = [f"{name}_{i}" for name in names for i in range(length)]
            return [f"{place}_{name}" for place in places for name in self._names]
        if self.over != "panels":
            return names
        return self._names if self.output == "images" else names + self._names
