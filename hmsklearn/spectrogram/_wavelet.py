"""WaveletScalogramizer: sharp in time for fast rhythms, in frequency for slow ones."""

from __future__ import annotations

import inspect
import math
import warnings
from typing import Any

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice, check_real
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.levels import power_to_levels
from hmsklearn.signal.superlets import KINDS, superlet_plan
from hmsklearn.signal.wavelet_bank import SCALINGS
from hmsklearn.signal.wavelet_fold import FoldPlan
from hmsklearn.signal.wavelet_grid import SPACINGS, wavelet_frequencies
from hmsklearn.signal.wavelet_run import folded_power
from hmsklearn.signal.wavelet_shapes import check_columns, check_freqs
from hmsklearn.signal.wavelets import morlet_plan
from hmsklearn.spectrogram._levels import LevelsMixin

__all__ = ["WaveletScalogramizer"]

_COLUMNS = 256


class WaveletScalogramizer(LevelsMixin, BaseSignalTransformer):
    """Scalograms by complex Morlet wavelets or superlets, one image for each channel.

    The defaults turn 50 s at 200 Hz into images of 64 x 256 in decibel.

    Parameters
    ----------
    sfreq : float, default=200.0
        Sampling frequency in Hz.
    fmin, fmax : float, default=0.5 and 20.0
        Frequencies of the lowest and the highest row in Hz.
    n_freqs : int, default=None
        Number of rows, the image's height; 64 where neither `dj` nor `freqs` says it.
    dj : float, default=None
        Or the distance of the rows in octaves, from `fmax` down to `fmin`.
    spacing : {"log", "linear"}, default="log"
        Equal ratios or equal differences of frequency.
    freqs : array-like of float, default=None
        Or the frequencies themselves, increasing, instead of the five parameters
        above, which then stay at their defaults. See
        :func:`hmsklearn.signal.torrence_compo_frequencies`.
    omega0 : float, default=None
        Width of the wavelets as Torrence and Compo give it, 6 where `n_cycles` is not
        given either. Frequencies are then Fourier frequencies.
    n_cycles : float or array-like of float, default=None
        Width as MNE gives it, for all rows or for each. With `order`, the cycles of the
        shortest wavelet, 3 where it is not given.
    order : float or (float, float), default=None
        Order of superlets, or that of the lowest and of the highest row; None for
        plain wavelets. See :func:`hmsklearn.signal.superlet_power`.
    superlet : {"multiplicative", "additive"}, default="multiplicative"
        How the cycles grow within a superlet. Only with `order`.
    fractional : bool, default=True
        Whether the orders of superlets may be fractions, or are rounded. Only with
        `order`.
    n_columns : int, default=None
        Number of columns, the image's width, ``n_times // n_columns`` samples apart;
        256 where `hop_length` is not given either.
    hop_length : int, default=None
        Or the samples from column to column, and as many columns as begin in the
        window.
    scaling : {"amplitude", "torrence-compo", "mne"}, default="amplitude"
        ``"amplitude"``: a sine of amplitude A has power A ** 2. ``"torrence-compo"``:
        wavelets of energy one. ``"mne"``: twice that power. Superlets know the first.
    pad_mode : {"constant", "reflect", "wrap"}, default="constant"
        How the signal goes on beyond its ends: zeros, mirror images, or again from the
        other end.
    zero_mean : bool, default=False
        Whether the wavelets' means are made zero, which matters below 5 cycles.
    demean : bool, default=True
        Whether each channel's mean is subtracted first.
    output : {"db", "linear", "log", "log10", "log1p"}, default="db"
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
        Added before ``"log"`` and ``"log10"``.
    clip : (float or None, float or None), default=None
        Bounds of the values, applied before `offset` and `scale`.
    offset, scale : float, default=0.0 and 1.0
        The output is ``(value + offset) / scale``.

    Attributes
    ----------
    frequencies_ : ndarray of shape (n_freqs,)
        Frequencies of the rows in Hz.
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable, contradicts another or has been changed
        without effect beside another, a frequency is above the Nyquist frequency,
        the windows are shorter than the scale (standard deviation) of the longest
        wavelet or than `n_columns`, or `X` contains NaN.

    Warns
    -----
    UserWarning
        In ``fit``: if the edges influence all columns of some rows (their cone of
        influence, ``sqrt(2)`` scales from either end, covers the window).

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in, ``(n_windows, n_channels, n_freqs,
    n_columns)`` out, same dtype; frequency from low to high on height, time on width.
    Column k is centred at sample ``k * hop``. Channels become planes and keep their
    names. The power has the square of the unit of the data. A constant channel has no
    power. NaN is an error: put :class:`hmsklearn.preprocessing.NaNImputer` before.

    Published variants (the means over rows and files that some subtracted afterwards
    are left to other steps):

    - ``fmin=0.5, fmax=40, n_freqs=40, n_cycles=11.755, hop_length=16,
      output="linear", exponent=1``: complex Morlet of width beta 7, for which
      ``n_cycles = 2 pi sqrt(beta / 2)``; 40 x 625.
    - ``freqs=np.arange(0.5, 20, 0.7), n_cycles=7, hop_length=14,
      scaling="mne", output="log", eps=1e-30``: MNE; 28 x 715.
    - ``freqs=torrence_compo_frequencies(10_000, dj=0.081, fmax=50), hop_length=33,
      scaling="torrence-compo", output="log", exponent=1``: the starting point of
      the trainable wavelets of the pipeline that reached 0.25; 140 x 304.
    - ``order=(1, 16), fractional=False``: superlets, in the 1st place's ensemble.

    References
    ----------
    C. Torrence and G. P. Compo, A practical guide to wavelet analysis, Bulletin of
    the American Meteorological Society 79, 1998.

    V. V. Moca et al., Time-frequency super-resolution with superlets, Nature
    Communications 12, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.spectrogram import WaveletScalogramizer
    >>> t = np.arange(10_000) / 200
    >>> X = np.sin(2 * np.pi * 10 * t, dtype="float32")[None, None]
    >>> step = WaveletScalogramizer().fit(X)
    >>> image = step.transform(X)[0, 0]
    >>> image.shape, float(step.frequencies_[image[:, 128].argmax()].round(1))
    ((64, 256), 9.9)
    """

    def __init__(
        self,
        *,
        sfreq: float = 200.0,
        fmin: float = 0.5,
        fmax: float = 20.0,
        n_freqs: int | None = None,
        dj: float | None = None,
        spacing: str = "log",
        freqs: Any = None,
        omega0: float | None = None,
        n_cycles: Any = None,
        order: Any = None,
        superlet: str = "multiplicative",
        fractional: bool = True,
        n_columns: int | None = None,
        hop_length: int | None = None,
        scaling: str = "amplitude",
        pad_mode: str = "constant",
        zero_mean: bool = False,
        demean: bool = True,
        output: str = "db",
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
        self.sfreq = sfreq
        self.fmin = fmin
        self.fmax = fmax
        self.n_freqs = n_freqs
        self.dj = dj
        self.spacing = spacing
        self.freqs = freqs
        self.omega0 = omega0
        self.n_cycles = n_cycles
        self.order = order
        self.superlet = superlet
        self.fractional = fractional
        self.n_columns = n_columns
        self.hop_length = hop_length
        self.scaling = scaling
        self.pad_mode = pad_mode
        self.zero_mean = zero_mean
        self.demean = demean
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
        self._check_levels()
        for name in ("fractional", "zero_mean", "demean"):
            if not isinstance(getattr(self, name), (bool, np.bool_)):
                raise ValueError(
                    f"{type(self).__name__}: {name} must be True or False, got "
                    f"{getattr(self, name)!r}."
                )
        caller = type(self).__name__
        check_choice(self.superlet, "superlet", KINDS, caller=caller)
        check_choice(self.scaling, "scaling", SCALINGS, caller=caller)
        if self.order is None:
            self._refuse_changed(
                ("superlet", "fractional"), "order=None asks for plain wavelets"
            )
        self.frequencies_ = self._rows()
        plan = self._plan(X)
        duration = X.shape[-1] / plan.wavelets.sfreq
        sigmas = np.array(plan.wavelets.sigmas)
        covered = np.array(plan.wavelets.centres)[2 * math.sqrt(2) * sigmas > duration]
        if covered.size and self.pad_mode != "wrap":
            warnings.warn(
                f"{type(self).__name__}: at {covered.max():.3g} Hz and below, windows "
                f"of {duration:g} s are so short for the wavelets that the edges "
                "influence every column. Raise fmin, or use fewer cycles.",
                UserWarning,
                stacklevel=3,
            )

    def _refuse_changed(self, names: tuple[str, ...], reason: str) -> None:
        """Refuse parameters that would be ignored, unless at their defaults."""
        known = inspect.signature(WaveletScalogramizer).parameters
        changed = {}
        for name in names:
            value, default = getattr(self, name), known[name].default
            if value is not default and not (np.isscalar(value) and value == default):
                changed[name] = value
        if changed:
            given = ", ".join(f"{name}={value!r}" for name, value in changed.items())
            raise ValueError(
                f"{type(self).__name__}: {reason}, got {given} with it. Leave "
                f"{', '.join(changed)} at the default."
            )

    def _rows(self) -> np.ndarray:
        caller = type(self).__name__
        sfreq = check_real(self.sfreq, "sfreq", caller=caller, low=0, low_open=True)
        if self.freqs is None:
            freqs = wavelet_frequencies(
                self.fmin,
                self.fmax,
                self.n_freqs,
                dj=self.dj,
                spacing=self.spacing,
                caller=caller,
            )
            return check_freqs(freqs, sfreq, caller=caller)
        check_choice(self.spacing, "spacing", SPACINGS, caller=caller)
        self._refuse_changed(
            ("fmin", "fmax", "n_freqs", "dj", "spacing"), "freqs lists the frequencies"
        )
        freqs = check_freqs(self.freqs, sfreq, caller=caller)
        if (np.diff(freqs) <= 0).any():
            raise ValueError(
                f"{caller}: freqs must increase, since rows go from low to high. Sort "
                "them, and leave out what comes twice."
            )
        return freqs

    def _columns(self) -> dict[str, Any]:
        if self.n_columns is None and self.hop_length is None:
            return {"n_columns": _COLUMNS, "hop_length": None}
        return {"n_columns": self.n_columns, "hop_length": self.hop_length}

    def _plan(self, X: Array) -> FoldPlan:
        caller = type(self).__name__
        common = {
            **self._columns(),
            "sfreq": self.sfreq,
            "pad_mode": self.pad_mode,
            "zero_mean": self.zero_mean,
            "caller": caller,
        }
        # A memory map of integers is converted chunk by chunk, to float32.
        dtype = "float64" if str(X.dtype).endswith("float64") else "float32"
        if self.order is None:
            return morlet_plan(
                X.shape[-1],
                dtype,
                self.frequencies_,
                omega0=self.omega0,
                n_cycles=self.n_cycles,
                scaling=self.scaling,
                **common,
            )
        if self.omega0 is not None or self.scaling != "amplitude":
            raise ValueError(
                f"{caller}: order={self.order!r} asks for superlets, which take "
                f"n_cycles and scaling='amplitude', got omega0={self.omega0!r} "
                f"and scaling={self.scaling!r}."
            )
        return superlet_plan(
            X.shape[-1],
            dtype,
            self.frequencies_,
            order=self.order,
            n_cycles=3.0 if self.n_cycles is None else self.n_cycles,
            kind=self.superlet,
            fractional=self.fractional,
            **common,
        )

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        caller = type(self).__name__
        _, width = check_columns(X.shape[-1], **self._columns(), caller=caller)
        return X.shape[1], len(self.frequencies_), width

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        levels = self._levels()
        if out is None:
            power = folded_power(X, self._plan(X), demean=self.demean)
            return power_to_levels(power, **levels)
        return folded_power(
            X,
            self._plan(X),
            demean=self.demean,
            out=out,
            finish=lambda image: power_to_levels(image, out=image, **levels),
        )
