"""WaveformImager: the samples themselves as pixels."""

from __future__ import annotations

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_integer
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.images import interleave_phases

__all__ = ["WaveformImager"]


class WaveformImager(BaseSignalTransformer):
    """Lay signals out as an image, each channel as a band of rows.

    Parameters
    ----------
    phases : int, default=10
        Rows for each channel. Row ``phase`` of a channel holds its samples ``phase``,
        ``phase + phases``, ``phase + 2 * phases``, ...
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
        In ``fit``: if a parameter is unusable or the number of samples is not a
        multiple of `phases`.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in, ``(n_windows, n_planes, n_channels *
    phases, n_times // phases)`` out: 16 derivations of 10,000 samples become 160 x
    1000. Pixel (``channel * phases + phase``, ``t``) is sample ``phases * t + phase``,
    unchanged, in the dtype of the input. NaN stays NaN. The images should be of the
    size that networks like: put :class:`hmsklearn.preprocessing.AmplitudeScaler`
    before.

    References
    ----------
    The 2nd place of HMS (discussion 492254), its best single model: ten phases, three
    planes.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.imaging import WaveformImager
    >>> X = np.arange(160_000.0).reshape(1, 16, 10_000)
    >>> image = WaveformImager().fit_transform(X)
    >>> image.shape, float(image[0, 0, 13, 2])  # channel 1, phase 3, sample 23
    ((1, 1, 160, 1000), 10023.0)
    """

    _allow_nan = True

    def __init__(self, phases: int = 10, *, n_planes: int = 1) -> None:
        self.phases = phases
        self.n_planes = n_planes

    def _fit(self, X: np.ndarray) -> None:
        caller = type(self).__name__
        check_integer(self.phases, "phases", caller=caller, low=1)
        check_integer(self.n_planes, "n_planes", caller=caller, low=1)
        self._check_length(X)

    def _check_length(self, X: np.ndarray) -> None:
        n_times = X.shape[-1]
        if n_times % self.phases:
            good = n_times // self.phases * self.phases
            raise ValueError(
                f"{type(self).__name__}: X has {n_times} samples in time (last axis), "
                f"not a multiple of phases={self.phases}. Give another phases, or cut "
                f"the windows first, for instance with CentreCrop(n_times={good})."
                if good
                else f"{type(self).__name__}: X has {n_times} samples in time (last "
                f"axis), fewer than phases={self.phases}. Give longer windows or a "
                "smaller phases."
            )

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        self._check_length(X)
        _, n_channels, n_times = X.shape
        return self.n_planes, n_channels * self.phases, n_times // self.phases

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        interleave_phases(X, self.phases, out=out[:, 0])
        out[:, 1:] = out[:, :1]

    def _feature_names_out(self, names: list[str]) -> list[str]:
        return [f"waveform{plane}" for plane in range(self.n_planes)]
