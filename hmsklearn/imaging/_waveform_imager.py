"""WaveformImager: the samples themselves as pixels."""

from __future__ import annotations

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice, check_integer
from hmsklearn.signal.arrays import Array, is_tensor
from hmsklearn.signal.images import WAVEFORM_LAYOUTS, waveform_image

__all__ = ["WaveformImager"]


class WaveformImager(BaseSignalTransformer):
    """Lay signals out as an image, each channel folded into a few rows.

    Parameters
    ----------
    rows : int, default=10
        Rows for each channel.
    layout : {"interleaved", "contiguous", "repeated"}, default="interleaved"
        How a channel fills its rows.

        ``"interleaved"``: row ``j`` holds every `rows`-th sample from the ``j``-th on,
        ``x[j::rows]``, so that neighbours in time are neighbours in height. This is
        also what is called a strided or a phase layout.

        ``"contiguous"``: row ``j`` holds the ``j``-th part of the channel, as text is
        broken into lines.

        ``"repeated"``: all rows are the whole channel.
    columns : int, default=1
        Number of channels side by side. Channels go from left to right, then down.
    n_planes : int, default=1
        How many equal planes the image has. 3 suits networks that were trained on
        colour pictures.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable, the number of samples is not a multiple
        of `rows` (except with ``"repeated"``) or the number of channels is not a
        multiple of `columns`.

    See Also
    --------
    WaveformPlotter : Draws the signals as lines.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in, ``(n_windows, n_planes, n_channels /
    columns * rows, columns * width)`` out with the parameters `n_planes`, `rows` and
    `columns`, where ``width`` is ``n_times / rows``, or `n_times` with ``"repeated"``.
    Values are those of the samples, in the dtype of the
    input; NaN stays NaN. They should be of the size that networks like: put
    :class:`hmsklearn.preprocessing.AmplitudeScaler` before.

    The published images, of 10,000 samples (50 s), 2,000 (10 s), 4,000 or 6,000; crop
    with :class:`hmsklearn.preprocessing.CentreCrop`:

    ======  ========  ==========================================  ===================
    place   channels  parameters                                  height x width
    ======  ========  ==========================================  ===================
    2nd     16        ``rows=10, n_planes=3``, 50 s               160 x 1000
    7th     18        ``rows=20``, 50 s                           360 x 500
    7th     18        ``rows=4``, 10 s; ``rows=12``, 30 s         72 and 216 x 500
    6th     16        ``rows=200, layout="contiguous",            200 x 800, 160 and
                      columns=16``, 50 s, 10 s and 20 s           320
    5th     16        ``rows=8, layout="repeated"``, 10 s, after  128 x 500
                      ``Decimator(4, method="mean")``
    ======  ========  ==========================================  ===================

    References
    ----------
    The 2nd place of HMS (discussion 492254; its best single model), the 5th (492652),
    6th (492619) and 7th (492281).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.imaging import WaveformImager
    >>> X = np.arange(160_000.0).reshape(1, 16, 10_000)
    >>> image = WaveformImager().fit_transform(X)
    >>> image.shape, float(image[0, 0, 13, 2])  # channel 1, samples 3, 13, 23
    ((1, 1, 160, 1000), 10023.0)
    >>> image = WaveformImager(200, "contiguous", columns=16).fit_transform(X)
    >>> image.shape, float(image[0, 0, 3, 52])  # channel 1, sample 3 * 50 + 2
    ((1, 1, 200, 800), 10152.0)
    """

    _allow_nan = True

    def __init__(
        self,
        rows: int = 10,
        layout: str = "interleaved",
        *,
        columns: int = 1,
        n_planes: int = 1,
    ) -> None:
        self.rows = rows
        self.layout = layout
        self.columns = columns
        self.n_planes = n_planes

    def _fit(self, X: np.ndarray) -> None:
        caller = type(self).__name__
        check_integer(self.rows, "rows", caller=caller, low=1)
        check_choice(self.layout, "layout", WAVEFORM_LAYOUTS, caller=caller)
        check_integer(self.columns, "columns", caller=caller, low=1)
        check_integer(self.n_planes, "n_planes", caller=caller, low=1)
        n_channels = X.shape[1]
        if n_channels % self.columns:
            raise ValueError(
                f"{caller}: X has {n_channels} channels (axis 1), not a multiple of "
                f"columns={self.columns}. Give a number of columns that divides it, or "
                "choose a montage with another number of derivations."
            )
        self._check_length(X)

    def _check_length(self, X: np.ndarray) -> None:
        n_times = X.shape[-1]
        if self.layout == "repeated" or n_times % self.rows == 0:
            return
        good = n_times // self.rows * self.rows
        raise ValueError(
            f"{type(self).__name__}: X has {n_times} samples in time (last axis), not "
            f"a multiple of rows={self.rows}. Give another number of rows, or cut the "
            f"windows first, for instance with CentreCrop(n_times={good})."
            if good
            else f"{type(self).__name__}: X has {n_times} samples in time (last axis), "
            f"fewer than rows={self.rows}. Give longer windows or fewer rows."
        )

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        self._check_length(X)
        _, n_channels, n_times = X.shape
        width = n_times if self.layout == "repeated" else n_times // self.rows
        height = n_channels // self.columns * self.rows
        return self.n_planes, height, self.columns * width

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        if is_tensor(X):
            image = waveform_image(X, self.rows, self.layout, columns=self.columns)
            return image[:, None].repeat(1, self.n_planes, 1, 1)
        if out is None:
            out = np.empty((len(X), *self._output_shape(X)), dtype=X.dtype)
        waveform_image(X, self.rows, self.layout, columns=self.columns, out=out[:, 0])
        out[:, 1:] = out[:, :1]
        return out

    def _feature_names_out(self, names: list[str]) -> list[str]:
        return [f"waveform{plane}" for plane in range(self.n_planes)]
