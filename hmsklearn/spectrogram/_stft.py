"""STFTSpectrogramizer: one class for the short-time transforms of all libraries."""

from __future__ import annotations

from typing import Any

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice, check_integer
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.dft import get_weights
from hmsklearn.signal.frames import PAD_MODES, FrameLayout
from hmsklearn.signal.short_time_checks import check_detrend, check_flag
from hmsklearn.signal.stft import SCALINGS, stft_frequencies, stft_power
from hmsklearn.spectrogram._levels import LevelsMixin

__all__ = ["STFTSpectrogramizer"]

_TORCH: dict[str, Any] = {
    "framing": "torch",
    "n_fft": 512,
    "window": "hann",
    "center": True,
    "pad_mode": "reflect",
    "detrend": None,
    "scaling": None,
    "doubled": False,
}
_SCIPY: dict[str, Any] = {
    "framing": "scipy",
    "win_length": 256,
    "window": ("tukey", 0.25),
    "center": False,
    "pad_mode": "constant",
    "detrend": "constant",
    "scaling": "density",
    "doubled": True,
}
#: What each library does where nothing else is asked for.
_CONVENTIONS: dict[str, dict[str, Any]] = {
    "torch": _TORCH,
    "librosa": {**_TORCH, "pad_mode": "constant"},
    "scipy": _SCIPY,
    "scipy_stft": {
        **_SCIPY,
        "window": "hann",
        "center": True,
        "detrend": None,
        "scaling": "spectrum",
        "doubled": False,
    },
    "cusignal": _SCIPY,
}


class STFTSpectrogramizer(LevelsMixin, BaseSignalTransformer):
    """Spectrograms by the short-time Fourier transform, one image for each channel.

    Parameters
    ----------
    convention : str, default="torch"
        Whose definition the other parameters start from:

        - ``"torch"``: ``torch.stft`` with a Hann window, that is
          ``torchaudio.transforms.Spectrogram``. Frames are centred, the ends mirrored.
        - ``"librosa"``: ``librosa.stft``, which continues the ends by zeros.
        - ``"scipy"``: ``scipy.signal.spectrogram``: Tukey window, frames without their
          mean, density with the negative frequencies added, nothing beyond the ends.
        - ``"scipy_stft"``: ``scipy.signal.stft``: Hann window, ends continued by zeros,
          divided by the sum of the window.
        - ``"cusignal"``: ``cusignal.spectrogram``, another name for ``"scipy"``: the
          library, which is discontinued, had SciPy's definition and defaults.
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    n_fft : int, default=None
        Length of the Fourier transform in samples. None takes 512 with ``"torch"`` and
        ``"librosa"``, the length of the window with the others.
    win_length : int, default=None
        Length of the window in samples, at most `n_fft`. None takes `n_fft` with
        ``"torch"`` and ``"librosa"``, 256 with the others.
    hop_length : int, default=None
        Samples from column to column. None takes what `noverlap` leaves, a quarter of
        `n_fft` with ``"torch"``, as ``torch.stft`` does, a quarter of `win_length`
        with ``"librosa"``. ``torchaudio.transforms.Spectrogram`` takes half of
        `win_length`: give that where it is meant.
    noverlap : int, default=None
        Samples that neighbouring windows share, instead of `hop_length`. None takes an
        eighth of `win_length` with ``"scipy"`` and ``"cusignal"``, half with
        ``"scipy_stft"``.
    window : str or tuple, default="auto"
        Periodic window of :func:`scipy.signal.get_window`, such as ``"hann"``,
        ``"cosine"``, ``("tukey", 0.25)`` or ``("general_cosine", [0.5, 0.5])``.
    center : bool, default="auto"
        Whether columns are centred on their samples, the ends being continued.
    pad_mode : {"reflect", "constant"}, default="auto"
        How the ends are continued: mirrored, or by zeros.
    detrend : {None, False, "constant", "linear"}, default="auto"
        What is taken out of every frame: nothing (False is SciPy's word for it), its
        mean, its straight line.
    scaling : str or None, default="auto"
        What the power is divided by: None, ``"density"``, ``"spectrum"``, ``"window"``
        or ``"frame_length"``, see :func:`hmsklearn.signal.stft_power`.
    doubled : bool, default="auto"
        Whether the power of negative frequencies is added to that of their positive
        twins, which doubles all rows but 0 Hz and half of `sfreq`. The rows are those
        of the positive frequencies either way, so this is not what torch calls
        ``onesided`` and SciPy ``return_onesided``.
    fmin, fmax : float, default=None
        Range to keep in Hz, both ends included; None keeps all.
    n_bins : int, default=None
        Number of bins to keep, from the lowest in the range; None keeps all.
    grid : {"bins", "linear"}, default="bins"
        ``"bins"`` are those of the transform. ``"linear"`` are `n_bins` frequencies in
        equal steps from `fmin`, which would reach `fmax` with the next, as in nnAudio.
    output : {"linear", "db", "log", "log10", "log1p"}, default="linear"
        What the power is turned into, see :func:`hmsklearn.signal.power_to_levels`.
    exponent : float, default=2.0
        2 for power, 1 for magnitude. Decibels are always those of the power.
    ref : "max" or float, default="max"
        Power that is 0 dB: each image's own maximum, or a fixed one.
    amin : float, default=1e-10
        With ``output="db"``, power below this counts as this.
    top_db : float or None, default=80.0
        With ``output="db"``, cells further below their image's maximum are raised to
        that distance; None leaves them.
    per : {"plane", "window"}, default="plane"
        Whether `ref` and `top_db` refer to each image's own maximum, or to that of all
        images of a window.
    eps : float, default=1e-6
        Added before ``"log"`` and ``"log10"``, so that silence is finite: 0 needs a
        lower bound in `clip`.
    clip : (float or None, float or None), default=None
        Bounds of the values, applied before `offset` and `scale`.
    offset, scale : float, default=0.0 and 1.0
        The output is ``(value + offset) / scale``.

    Attributes
    ----------
    frequencies_ : ndarray of shape (n_bins,)
        Frequencies of the rows in Hz.
    n_fft_, win_length_, hop_length_ : int
        The lengths that are used.
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable, the windows are too short for one frame
        or for its mirrored ends, no frequency is left, or `X` contains NaN.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in, ``(n_windows, n_channels, n_bins,
    n_columns)`` out, same dtype; frequency from low to high on height, time on width.
    Channels become planes and keep their names. The power has the square of the unit of
    the data, for each Hz with ``scaling="density"``. NaN is an error: put
    :class:`hmsklearn.preprocessing.NaNImputer` before.

    Where few frequencies are kept they are computed by matrix products, several times
    faster than the FFT of all of them.

    Published variants:

    - 2nd place: ``n_fft=512, win_length=128, exponent=1, clip=(0, 10_000), scale=1000,
      n_bins=61``, with ``hop_length=50`` for 50 s and 10 for the central 10 s.
    - 5th place: ``convention="librosa", n_fft=512, hop_length=24, n_bins=102,
      output="log", exponent=1, clip=(-6.5, 7)``.
    - 6th place: ``convention="scipy", win_length=70, noverlap=0, n_fft=256,
      n_bins=128, output="log1p", scale=2``.
    - 7th place: ``convention="cusignal", win_length=270, noverlap=251, fmin=0.5,
      fmax=20, output="log1p"`` for 50 s, for shorter views ``win_length=145,
      noverlap=141`` and the like.
    - 15th place: ``n_fft=110, win_length=64, hop_length=23, window="cosine",
      center=False, grid="linear", n_bins=56, fmax=40, output="log1p", clip=(0, 20),
      offset=-7.5, scale=7.5``.

    References
    ----------
    2nd, 5th, 6th, 7th and 15th place of HMS: the variants above.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.spectrogram import STFTSpectrogramizer
    >>> t = np.arange(10_000) / 200
    >>> X = np.sin(2 * np.pi * 10 * t, dtype="float32")[None, None]
    >>> step = STFTSpectrogramizer(hop_length=50, fmax=20, output="log1p").fit(X)
    >>> image = step.transform(X)[0, 0]
    >>> image.shape, round(float(step.frequencies_[image[:, 100].argmax()]), 1)
    ((52, 201), 10.2)
    """

    def __init__(
        self,
        *,
        convention: str = "torch",
        sfreq: float = 200.0,
        n_fft: int | None = None,
        win_length: int | None = None,
        hop_length: int | None = None,
        noverlap: int | None = None,
        window: str | tuple = "auto",
        center: bool | str = "auto",
        pad_mode: str = "auto",
        detrend: str | bool | None = "auto",
        scaling: str | None = "auto",
        doubled: bool | str = "auto",
        fmin: float | None = None,
        fmax: float | None = None,
        n_bins: int | None = None,
        grid: str = "bins",
        output: str = "linear",
        exponent: float = 2.0,
        ref: str | float = "max",
        amin: float = 1e-10,
        top_db: float | None = 80.0,
        per: str = "plane",
        eps: float = 1e-6,
        clip: tuple[float | None, float | None] | None = None,
        offset: float = 0.0,
        scale: float = 1.0,
    ) -> None:
        self.convention = convention
        self.sfreq = sfreq
        self.n_fft = n_fft
        self.win_length = win_length
        self.hop_length = hop_length
        self.noverlap = noverlap
        self.window = window
        self.center = center
        self.pad_mode = pad_mode
        self.detrend = detrend
        self.scaling = scaling
        self.doubled = doubled
        self.fmin = fmin
        self.fmax = fmax
        self.n_bins = n_bins
        self.grid = grid
        self.output = output
        self.exponent = exponent
        self.ref = ref
        self.amin = amin
        self.top_db = top_db
        self.per = per
        self.eps = eps
        self.clip = clip
        self.offset = offset
        self.scale = scale

    def _fit(self, X: np.ndarray) -> None:
        caller = type(self).__name__
        known = tuple(_CONVENTIONS)
        preset = _CONVENTIONS[
            check_choice(self.convention, "convention", known, caller=caller)
        ]
        self._check_levels()
        frames: dict[str, Any] = {"framing": preset["framing"], **self._lengths(preset)}
        for name in ("window", "center", "pad_mode", "detrend", "scaling", "doubled"):
            given = getattr(self, name)
            auto = isinstance(given, str) and given == "auto"
            frames[name] = preset[name] if auto else given
        for name in ("center", "doubled"):
            check_flag(frames[name], name, caller=caller, words=" or 'auto'")
        check_choice(frames["pad_mode"], "pad_mode", PAD_MODES, caller=caller)
        frames["detrend"] = check_detrend(frames["detrend"], caller=caller)
        check_choice(frames["scaling"], "scaling", SCALINGS, caller=caller)
        get_weights(frames["window"], frames["win_length"], caller=caller)
        rows: dict[str, Any] = {"sfreq": self.sfreq, "n_bins": self.n_bins}
        rows |= {"grid": self.grid, "fmin": self.fmin, "fmax": self.fmax}
        frequencies = stft_frequencies(n_fft=frames["n_fft"], **rows, caller=caller)
        self._frames, self._rows = frames, rows
        self._columns(X)
        self.frequencies_ = frequencies
        self.n_fft_ = frames["n_fft"]
        self.win_length_ = frames["win_length"]
        self.hop_length_ = frames["hop_length"]

    def _lengths(self, preset: dict[str, Any]) -> dict[str, int]:
        caller = type(self).__name__
        n_fft, win_length = self.n_fft, self.win_length
        if preset["framing"] == "torch":
            n_fft = preset["n_fft"] if n_fft is None else n_fft
            win_length = n_fft if win_length is None else win_length
        else:
            win_length = preset["win_length"] if win_length is None else win_length
            n_fft = win_length if n_fft is None else n_fft
        check_integer(n_fft, "n_fft", caller=caller, low=2)
        check_integer(win_length, "win_length", caller=caller, low=1, high=n_fft)
        hop, noverlap = self.hop_length, self.noverlap
        if hop is not None and noverlap is not None:
            raise ValueError(
                f"{caller}: hop_length={hop!r} and noverlap={noverlap!r} both say how "
                "far it is from column to column. Give one of them."
            )
        if noverlap is None and hop is None and preset["framing"] == "scipy":
            share = 2 if self.convention == "scipy_stft" else 8
            noverlap = win_length // share
        if noverlap is not None:
            check_integer(
                noverlap, "noverlap", caller=caller, low=0, high=win_length - 1
            )
            hop = win_length - noverlap
        if hop is None:
            hop = max(1, (n_fft if self.convention == "torch" else win_length) // 4)
        check_integer(hop, "hop_length", caller=caller, low=1)
        return {
            "n_fft": int(n_fft),
            "win_length": int(win_length),
            "hop_length": int(hop),
        }

    def _columns(self, X: np.ndarray) -> int:
        frames = self._frames
        return FrameLayout.make(
            X.shape[-1],
            length=frames["win_length"],
            n_fft=frames["n_fft"],
            hop_length=frames["hop_length"],
            center=frames["center"],
            pad_mode=frames["pad_mode"],
            framing=frames["framing"],
            caller=type(self).__name__,
        ).count

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        return X.shape[1], len(self.frequencies_), self._columns(X)

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return stft_power(
            X,
            **self._frames,
            **self._rows,
            levels=self._levels(),
            caller=type(self).__name__,
            out=out,
        )
