"""MelSpectrogramizer: the image that most published solutions start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_integer
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.frames import FrameLayout
from hmsklearn.signal.mel import mel_filterbank, mel_spectrogram
from hmsklearn.signal.short_time_checks import check_bands, check_groups
from hmsklearn.spectrogram._levels import LevelsMixin

__all__ = ["MelSpectrogramizer"]

_COLUMNS = 256
_BANDS = ("sfreq", "n_fft", "n_mels", "fmin", "fmax", "mel_scale", "norm")
_FRAMES = ("win_length", "window", "pad_mode")


class MelSpectrogramizer(LevelsMixin, BaseSignalTransformer):
    """Mel spectrograms in decibel, one image for each channel.

    The defaults turn 50 s at 200 Hz into images of 128 x 256.

    Parameters
    ----------
    sfreq : float, default=200.0
        Sampling frequency of the data in Hz.
    n_fft : int, default=1024
        Length of the Fourier transform in samples.
    win_length : int, default=128
        Length of the window in samples, at most `n_fft`; the rest of a frame is zeros.
    hop_length : int, default=None
        Samples from column to column. None takes ``n_times // 256`` of the windows
        seen in ``fit``, 39 for 10,000 samples.
    n_mels : int, default=128
        Number of bands, the image's height.
    fmin, fmax : float, default=0.0 and 20.0
        Range of the bands in Hz.
    window : str or tuple, default="hann"
        Periodic window of :func:`scipy.signal.get_window`.
    pad_mode : {"constant", "reflect"}, default="constant"
        What lies before the first and after the last sample: zeros (librosa), or the
        mirrored signal (torchaudio).
    mel_scale : {"slaney", "htk"}, default="slaney"
        Formula of the mel scale: librosa's default, or torchaudio's.
    norm : {"slaney", None}, default="slaney"
        Bands of equal area (librosa's default), or of height one (torchaudio's).
    output : {"db", "linear", "log", "log10", "log1p"}, default="db"
        What the power is turned into, see :func:`hmsklearn.signal.power_to_levels`.
    exponent : float, default=2.0
        2 for power, 1 for magnitude. Decibels are always those of the power.
    ref : "max" or float, default="max"
        Power that is 0 dB: each image's own maximum, or a fixed one in the square of
        the unit of the data.
    amin : float, default=1e-10
        With ``output="db"``, power below this counts as this.
    top_db : float or None, default=80.0
        With ``output="db"``, cells further below their image's maximum are raised to
        that distance; None leaves them.
    per : {"plane", "window"}, default="plane"
        Whether `ref` and `top_db` refer to each image's own maximum (librosa, channel
        by channel), or to that of all images of a window (torchaudio on a stack).
    eps : float, default=1e-6
        Added before ``"log"`` and ``"log10"``, so that silence is finite: 0 needs a
        lower bound in `clip`.
    clip : (float or None, float or None), default=None
        Bounds of the values, applied before `offset` and `scale`.
    offset, scale : float, default="auto"
        The output is ``(value + offset) / scale``. ``"auto"`` takes 40 and 40 for
        decibels, which are from -1 to 1 then, and 0 and 1 for any other `output`. For
        plain decibels give 0 and 1.
    width_multiple : int, default=32
        The width is cut down to a multiple of this (257 columns to 256), at the end of
        the window. 1 keeps every column.
    groups : mapping or sequence, default=None
        Channels whose images are averaged, which needs the memory of the means only:
        positions by name, such as ``get_montage("double_banana").chains``, or a
        sequence of sequences of positions. None gives every channel its image.

    Attributes
    ----------
    hop_length_ : int
        Samples from column to column.
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: if a parameter is unusable, the windows are too short for one
        multiple of columns, or `X` contains NaN.

    Warns
    -----
    UserWarning
        In ``fit``: if a band lies between two bins of the transform, so that its row
        has no content.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in, ``(n_windows, n_channels, n_mels, width)``
    out, same dtype; frequency from low to high on height, time on width. Channels
    become planes and keep their names; with `groups` the planes are the groups. The
    numbers are those of ``librosa.feature.melspectrogram`` followed by
    ``librosa.power_to_db``, within 0.005 dB for float32, and those of
    ``torchaudio.transforms.MelSpectrogram`` and ``AmplitudeToDB`` with ``mel_scale=
    "htk", norm=None, pad_mode="reflect", ref=1.0, per="window", offset=0, scale=1``. A
    silent channel is 0 dB throughout, as in librosa. NaN is an error: put
    :class:`hmsklearn.preprocessing.NaNImputer` before.

    Transform every derivation and average the images of a chain then (`groups`, or
    :class:`hmsklearn.imaging.ChainMean` as a step of its own), not the other way round.

    Published variants:

    - 3rd place: torchaudio's parameters above, and ``fmin=0.53, fmax=40,
      width_multiple=1``, or ``n_fft=512, n_mels=64, fmin=0.53, fmax=30, hop_length=32,
      width_multiple=1`` with views of the centre in ``n_fft=2048, top_db=100`` (else
      the same), `win_length` 32 to 8 and `hop_length` 8 to 2.
    - 4th place: torchaudio's parameters above, and ``n_fft=1024 * height // 128,
      n_mels=height, hop_length=n_times // width, fmin=0.5, fmax=30,
      width_multiple=width``.
    - In three ranges of frequency at once: ``output="log", hop_length=33,
      width_multiple=1``.

    References
    ----------
    C. Deotte's public notebook for HMS ("magic formula", discussion 469760), reused by
    the 4th, 5th and 16th places among others. 3rd place of HMS, 4th place of HMS: the
    variants above.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.spectrogram import MelSpectrogramizer
    >>> t = np.arange(10_000) / 200
    >>> X = np.sin(2 * np.pi * 10 * t, dtype="float32")[None, None]
    >>> image = MelSpectrogramizer().fit_transform(X)
    >>> image.shape, int(image[0, 0, :, 100].argmax())  # 10 Hz is half way up
    ((1, 1, 128, 256), 62)
    """

    def __init__(
        self,
        *,
        sfreq: float = 200.0,
        n_fft: int = 1024,
        win_length: int = 128,
        hop_length: int | None = None,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float = 20.0,
        window: str | tuple = "hann",
        pad_mode: str = "constant",
        mel_scale: str = "slaney",
        norm: str | None = "slaney",
        output: str = "db",
        exponent: float = 2.0,
        ref: str | float = "max",
        amin: float = 1e-10,
        top_db: float | None = 80.0,
        per: str = "plane",
        eps: float = 1e-6,
        clip: tuple[float | None, float | None] | None = None,
        offset: float | str = "auto",
        scale: float | str = "auto",
        width_multiple: int = 32,
        groups: Mapping[str, Sequence[int]] | Sequence[Sequence[int]] | None = None,
    ) -> None:
        self.sfreq = sfreq
        self.n_fft = n_fft
        self.win_length = win_length
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.window = window
        self.pad_mode = pad_mode
        self.mel_scale = mel_scale
        self.norm = norm
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
        self.width_multiple = width_multiple
        self.groups = groups

    def _fit(self, X: np.ndarray) -> None:
        check_bands(**self._chosen(*_BANDS, *_FRAMES), caller=type(self).__name__)
        self._check_levels()
        self._check_groups(X)
        caller = type(self).__name__
        check_integer(self.width_multiple, "width_multiple", caller=caller, low=1)
        if self.hop_length is not None:
            hop = check_integer(self.hop_length, "hop_length", caller=caller, low=1)
        else:
            hop = X.shape[-1] // _COLUMNS
            if hop == 0:
                raise ValueError(
                    f"{caller}: X has {X.shape[-1]} samples in time (last axis), at "
                    f"least {_COLUMNS} are needed for {_COLUMNS} columns. Give longer "
                    "windows, or a hop_length."
                )
        self._width(X, hop)
        mel_filterbank(**self._chosen(*_BANDS))  # warns of bands without content
        self.hop_length_ = hop

    def _chosen(self, *names: str) -> dict[str, Any]:
        return {name: getattr(self, name) for name in names}

    def _levels(self) -> dict[str, Any]:
        levels = super()._levels()
        for name, auto in (("offset", 0.0), ("scale", 1.0)):
            given = levels[name]
            if isinstance(given, str):
                if given != "auto":
                    raise ValueError(
                        f"{type(self).__name__}: {name} must be a finite number or "
                        f"'auto', got {given!r}."
                    )
                levels[name] = 40.0 if self.output == "db" else auto
        return levels

    def _check_groups(self, X: np.ndarray) -> None:
        caller, n_channels = type(self).__name__, X.shape[1]
        self._groups = None
        if self.groups is None:
            return
        groups = self.groups
        if not isinstance(groups, Mapping):
            if not isinstance(groups, (list, tuple, np.ndarray)):
                raise ValueError(
                    f"{caller}: groups must be a list of lists of positions, or such "
                    f"lists by name, got {groups!r}."
                )
            groups = {f"group{i}": group for i, group in enumerate(groups)}
        self._group_names = [str(name) for name in groups]
        self._groups = check_groups(
            list(groups.values()), n_channels, caller=caller, names=self._group_names
        )

    def _width(self, X: np.ndarray, hop_length: int) -> int:
        columns = FrameLayout.make(
            X.shape[-1],
            length=self.win_length,
            n_fft=self.n_fft,
            hop_length=hop_length,
            pad_mode=self.pad_mode,
            caller=type(self).__name__,
        ).count
        width = columns // self.width_multiple * self.width_multiple
        if width == 0:
            raise ValueError(
                f"{type(self).__name__}: X has {X.shape[-1]} samples in time (last "
                f"axis), which give {columns} columns at hop_length={hop_length}, "
                f"fewer than width_multiple={self.width_multiple}. Give longer "
                "windows, or a smaller hop_length or width_multiple."
            )
        return width

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        n_planes = X.shape[1] if self._groups is None else len(self._groups)
        return n_planes, self.n_mels, self._width(X, self.hop_length_)

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return mel_spectrogram(
            X,
            **self._chosen(*_BANDS, *_FRAMES),
            hop_length=self.hop_length_,
            width=self._width(X, self.hop_length_),
            levels=self._levels(),
            groups=self._groups,
            warn_empty=False,
            caller=type(self).__name__,
            out=out,
        )

    def _feature_names_out(self, names: list[str]) -> list[str]:
        return names if self._groups is None else list(self._group_names)
