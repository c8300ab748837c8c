"""WaveformPlotter: the traces that a reader of EEG looks at."""

from __future__ import annotations

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_integer, check_real
from hmsklearn.signal.arrays import Array, is_tensor
from hmsklearn.signal.traces import draw_traces, trace_lanes

__all__ = ["WaveformPlotter"]


class WaveformPlotter(BaseSignalTransformer):
    """Draw signals as lines, each channel in its own lane of a grey image.

    Parameters
    ----------
    height, width : int, default=512
        Size of the image in pixels.
    amplitude : float, default=100.0
        Microvolts at which a line reaches the edge of its lane, from 1e-12 to 1e12.
        Larger ones are clipped there.
    line_width : float, default=1.0
        Width of the lines in pixels, at least 0.5.
    overlap : float, default=0.0
        By how much lanes overlap, as a share of the distance between the centres of
        neighbouring ones. With 0 they touch; with 1 each lane ends at its neighbours'
        centres, so that the lines are up to twice as high, and may cross.
    negative_up : bool, default=False
        Whether negative voltages point upwards, the convention of clinical EEG. By
        default they point downwards, as in any other plot.
    invert : bool, default=False
        Whether lines are 0 on a background of 1, like ink on paper.
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
        In ``fit``: if a parameter is unusable, if there are so many channels that a
        lane is not higher than the line is wide, or if `X` contains NaN.

    See Also
    --------
    WaveformImager : The samples themselves as pixels, at no loss.
    hmsklearn.plotting.TracesDisplay : A figure with names and scales, for people.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in microvolt in, ``(n_windows, n_planes,
    height, width)`` out with the parameters `n_planes`, `height` and `width`, whatever
    the number of channels, in the dtype of the input: 0 where there is no line, 1
    inside of one, at its rim the share of the pixel that it covers. Channels go from
    top to bottom. NaN is an error: put :class:`hmsklearn.preprocessing.NaNImputer`
    before. A constant channel is a level line, in the centre of its lane if it is zero;
    signals with a drift or an offset need
    :class:`hmsklearn.preprocessing.ButterworthFilter` first, or they are clipped at the
    edges of their lanes.

    Every sample shows: where many fall into one column of pixels, the line covers all
    that lies between them. Filtered real EEG differs from what matplotlib draws (Agg
    backend, same geometry) by 0.002 to 0.011 a pixel on average, depending on the size
    of the image, and by 0.04 at most where waves touch and matplotlib counts the ink of
    a pixel twice. From the exact coverage it differs by 0.001 to 0.004, at most 0.03.

    The size should follow the time that is shown: 50 s in 512 pixels are 20 samples a
    column, and waves above 5 Hz merge into a band. Crop with
    :class:`hmsklearn.preprocessing.CentreCrop`.

    References
    ----------
    The 16th place of HMS drew the central 20 s of 20 traces with overlapping lanes, the
    8th (discussion 492482) wave plots of 224 x 224 pixels, both for TinyViT.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.imaging import WaveformPlotter
    >>> silence = np.zeros((1, 4, 2000))
    >>> images = WaveformPlotter(40, 60, line_width=2.0).fit_transform(silence)
    >>> images.shape, np.flatnonzero(images[0, 0, :, 30])
    ((1, 1, 40, 60), array([ 4,  5, 14, 15, 24, 25, 34, 35]))
    """

    def __init__(
        self,
        height: int = 512,
        width: int = 512,
        *,
        amplitude: float = 100.0,
        line_width: float = 1.0,
        overlap: float = 0.0,
        negative_up: bool = False,
        invert: bool = False,
        n_planes: int = 1,
    ) -> None:
        self.height = height
        self.width = width
        self.amplitude = amplitude
        self.line_width = line_width
        self.overlap = overlap
        self.negative_up = negative_up
        self.invert = invert
        self.n_planes = n_planes

    def _fit(self, X: np.ndarray) -> None:
        caller = type(self).__name__
        for name in ("height", "width", "n_planes"):
            check_integer(getattr(self, name), name, caller=caller, low=1)
        check_real(self.amplitude, "amplitude", caller=caller, low=1e-12, high=1e12)
        check_real(self.line_width, "line_width", caller=caller, low=0.5)
        check_real(self.overlap, "overlap", caller=caller, low=0)
        for name in ("negative_up", "invert"):
            value = getattr(self, name)
            if not isinstance(value, (bool, np.bool_)):
                raise ValueError(
                    f"{caller}: {name} must be True or False, got {value!r}."
                )
        trace_lanes(
            X.shape[1],
            self.height,
            line_width=self.line_width,
            overlap=self.overlap,
            caller=caller,
        )

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        return self.n_planes, self.height, self.width

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        if not is_tensor(X) and out is None:
            out = np.empty((len(X), *self._output_shape(X)), dtype=X.dtype)
        images = draw_traces(
            X,
            self.height,
            self.width,
            amplitude=self.amplitude,
            line_width=self.line_width,
            overlap=self.overlap,
            negative_up=self.negative_up,
            invert=self.invert,
            out=None if out is None else out[:, 0],
        )
        if out is None:
            return images[:, None].repeat(1, self.n_planes, 1, 1)
        out[:, 1:] = out[:, :1]
        return out

    def _feature_names_out(self, names: list[str]) -> list[str]:
        return [f"traces{plane}" for plane in range(self.n_planes)]
