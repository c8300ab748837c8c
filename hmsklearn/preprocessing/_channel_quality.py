"""ChannelQuality: which electrodes can be believed, moment by moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn._params import check_choice, check_integer, check_real
from hmsklearn.montage import CH_NAMES, canonical_name, get_montage, pick_channels
from hmsklearn.signal.arrays import Array, namespace
from hmsklearn.signal.quality import QUALITIES, channel_quality, combine_quality

__all__ = ["ChannelQuality"]


class ChannelQuality(BaseSignalTransformer):
    """Tell how far each electrode is from the ones nearest to it, as a time course.

    The channel quality factor (CQF) of the 4th place of HMS. An electrode that came
    off records something that no other one does; a network that is shown its quality
    beside the signal learns to look elsewhere.

    Parameters
    ----------
    montage : str, Montage or sequence of pairs, default=None
        With it, the quality of each derivation (the product of those of the electrodes
        that carry a weight), in the order in which
        :class:`hmsklearn.preprocessing.MontageTransformer` gives the signals; without,
        that of each electrode.
    output : {"quality", "mask", "gof"}, default="quality"
        ``"gof"``: how many times farther than the best electrodes this one is from its
        nearest; of a derivation, the larger of its electrodes'. ``"quality"``:
        ``1 / (1 + gof / threshold)``. ``"mask"``: 1 where `gof` is below `threshold`,
        else 0.
    ch_names : sequence of str, default=None
        Names of the input's channels in order; None takes the 20 columns of a
        competition file, :data:`hmsklearn.montage.CH_NAMES`.
    exclude : sequence of str, default=None
        Channels that are no electrodes on the scalp: they are neither compared nor
        judged, and count as good in a derivation. None excludes EKG where there is one.
    half_life : float, default=0.325
        Seconds after which a difference weighs half: 13 samples at 40 Hz.
    sfreq : float, default=200.0
        Sampling frequency of the data in Hz.
    eps : float, default=100.0
        Squared microvolt added to every distance, so that electrodes that differ by
        less than 10 microvolt are about equally good; 1e-4 squared millivolt.
    n_nearest : int, default=3
        Number of electrodes that count as near.
    threshold : float, default=10.0
        Where quality is one half and the mask ends.

    Attributes
    ----------
    montage_ : Montage or None
        The montage whose derivations are judged.
    electrodes_ : list of str
        Names of the electrodes that are compared.
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: for unknown electrodes or montages, if the number of channels is not
        that of the names, if there are not more electrodes than `n_nearest`, if a
        parameter is unusable, or if `X` contains NaN.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in, microvolt against one common reference (not
    differences); ``(n_windows, n_electrodes or n_derivations, n_times)`` out, a pure
    number, same dtype. Quality lies in (0, 1), not quite 1 even for the best electrode.

    The distance of two electrodes is the exponentially weighted mean, over this moment
    and the past, of their squared difference, plus `eps`. An electrode's distance is
    the mean of its `n_nearest` smallest; ``gof`` is that distance divided by (`eps`
    plus) the mean of the `n_nearest` smallest of all electrodes at the same moment.
    Nothing is learned, and a window's past begins with the window. All pairs of 19
    electrodes are compared, a few at a time.

    To show it to a network, put signals and qualities next to each other as planes with
    :class:`hmsklearn.imaging.WindowUnion` and ``join="planes"``. NaN is an error: put
    :class:`hmsklearn.preprocessing.NaNImputer` before.

    References
    ----------
    4th place of HMS (discussion 492240): at 40 Hz, on signals divided by 1,000; each
    pair of electrodes gets the product of their qualities as an input plane.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.preprocessing import ChannelQuality
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(0, 10, (1, 20, 400))
    >>> X[:, 5] = 2000 * rng.normal(size=400)  # T3 came off
    >>> quality = ChannelQuality().fit(X)
    >>> Q = quality.transform(X)
    >>> Q.shape, quality.electrodes_[int(Q[0, :, -1].argmin())]
    ((1, 19, 400), 'T3')
    >>> pairs = ChannelQuality("double_banana", output="mask").fit_transform(X)
    >>> pairs[0, :4, -1]  # Fp1-F7, F7-T3, T3-T5, T5-O1
    array([1., 0., 0., 1.])
    """

    def __init__(
        self,
        montage: Any = None,
        *,
        output: str = "quality",
        ch_names: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        half_life: float = 0.325,
        sfreq: float = 200.0,
        eps: float = 100.0,
        n_nearest: int = 3,
        threshold: float = 10.0,
    ) -> None:
        self.montage = montage
        self.output = output
        self.ch_names = ch_names
        self.exclude = exclude
        self.half_life = half_life
        self.sfreq = sfreq
        self.eps = eps
        self.n_nearest = n_nearest
        self.threshold = threshold

    def _fit(self, X: Array) -> None:
        caller = type(self).__name__
        check_choice(self.output, "output", QUALITIES, caller=caller)
        for name in ("half_life", "sfreq"):
            value = getattr(self, name)
            check_real(value, name, caller=caller, low=0, low_open=True)
        for name in ("eps", "threshold"):
            value = getattr(self, name)
            check_real(value, name, caller=caller, low=1e-12, high=1e12)
        names = self._check_channels(X)
        judged = self._judged(names)
        check_integer(
            self.n_nearest,
            "n_nearest",
            caller=caller,
            low=1,
            high=len(judged) - 1,
            remedy=f"There are {len(judged)} electrodes to compare.",
        )
        self.montage_ = None
        if self.montage is not None:
            self.montage_ = get_montage(self.montage, caller=caller)
            weights = self.montage_.matrix(names, caller=caller)[:, judged]
            self._groups = [tuple(np.flatnonzero(row).tolist()) for row in weights]
        self.electrodes_ = [names[i] for i in judged]
        self._runs = _runs(judged)

    def _check_channels(self, X: Array) -> list[str]:
        caller = type(self).__name__
        for name in ("ch_names", "exclude"):
            if isinstance(getattr(self, name), str):
                raise ValueError(
                    f"{caller}: {name} must be a list of names, got the text "
                    f"{getattr(self, name)!r}."
                )
        names = list(CH_NAMES if self.ch_names is None else self.ch_names)
        if len(names) != X.shape[1]:
            whose = (
                "the 20 columns of a competition file are expected"
                if self.ch_names is None
                else f"ch_names has {len(names)} names"
            )
            raise ValueError(
                f"{caller}: X has {X.shape[1]} channels (axis 1), but {whose}. Pass "
                "ch_names, one name for each channel in the order of your data."
            )
        return names

    def _judged(self, names: list[str]) -> list[int]:
        # Looking all of them up finds names that mean the same electrode.
        caller = type(self).__name__
        pick_channels(names, names, caller=caller)
        excluded = self.exclude
        if excluded is None:
            excluded = [name for name in names if canonical_name(name) == "EKG"]
        left_out = pick_channels(excluded, names, caller=caller)
        return [i for i in range(len(names)) if i not in left_out]

    def _output_shape(self, X: Array) -> tuple[int, ...]:
        rows = self.electrodes_ if self.montage_ is None else self.montage_.names
        return len(rows), X.shape[2]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        parts = [X[:, run] for run in self._runs]
        X = parts[0] if len(parts) == 1 else namespace(X).concatenate(parts, axis=1)
        single = self.montage_ is None
        quality = channel_quality(
            X,
            self.output,
            half_life=self.half_life * self.sfreq,
            eps=self.eps,
            n_nearest=self.n_nearest,
            threshold=self.threshold,
            out=out if single else None,
        )
        if single:
            return quality
        return combine_quality(quality, self._groups, self.output, out=out)

    def _feature_names_out(self, names: list[str]) -> list[str]:
        if self.montage_ is not None:
            return list(self.montage_.names)
        return [names[i] for run in self._runs for i in range(run.start, run.stop)]


def _runs(positions: list[int]) -> list[slice]:
    """Cut ascending positions into slices, which tensors take without an index."""
    runs: list[slice] = []
    for i in positions:
        if runs and runs[-1].stop == i:
            runs[-1] = slice(runs[-1].start, i + 1)
        else:
            runs.append(slice(i, i + 1))
    return runs
