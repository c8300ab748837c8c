"""MontageTransformer: electrodes in, derivations out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn.montage import CH_NAMES, get_montage
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.derivations import derive

__all__ = ["MontageTransformer"]


class MontageTransformer(BaseSignalTransformer):
    """Electrodes to derivations, as clinicians read them.

    Parameters
    ----------
    montage : str, Montage or sequence, default="double_banana"
        Name of a ready montage, such as ``"double_banana"`` (18 derivations: left and
        right lateral, left and right parasagittal, midline), ``"double_banana_16"``
        (without the midline), ``"average_reference"`` or ``"3rd"``, the one that the
        third place used (:data:`hmsklearn.montage.MONTAGES` holds all of them); or a
        :class:`hmsklearn.montage.Montage`; or lines: pairs such as ``("Fp1", "F7")`` or
        ``"Fp1-F7"``, single electrodes such as ``"EKG"``, weighted sums such as
        ``{"Cz": 1, "C3": -0.5, "C4": -0.5}``. Names are matched through aliases
        (T7 = T3, ECG = EKG, ...).
    ch_names : sequence of str, default=None
        Names of the input's channels in order; None takes the 20 columns of a
        competition file, :data:`hmsklearn.montage.CH_NAMES`.

    Attributes
    ----------
    montage_ : Montage
        The montage that is applied.
    n_features_in_ : int
        Number of channels seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: for an unknown montage or electrode, with the nearest names; if the
        data has another number of channels than there are names.

    Notes
    -----
    ``(n_windows, n_channels, n_times)`` in, ``(n_windows, n_derivations, n_times)``
    out, contiguous, in the unit and dtype of the input. Differences of two channels are
    so bit for bit. NaN in an electrode makes NaN of the derivations that use it and
    leaves the others alone. The names out are those of the derivations.

    Images ``(n_windows, n_planes, height, width)`` with one plane a channel are taken
    too: a montage of derivations, such as :meth:`Montage.minus_neighbours`, contrasts
    the spectrogram of a derivation with those about it.

    References
    ----------
    The order of the chains is that of the organisers' labelling tool; the 16
    derivations are those of the 2nd place of HMS (discussion 492254). The ready
    montages name the solutions that used them.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.preprocessing import MontageTransformer
    >>> X = np.arange(20.0)[None, :, None] * np.ones(4)
    >>> montage = MontageTransformer().fit(X)
    >>> montage.transform(X).shape, montage.get_feature_names_out()[0]
    ((1, 18, 4), 'Fp1-F7')
    >>> MontageTransformer(["T7-O1"], ch_names=["O1", "T3"]).fit_transform(
    ...     np.array([[[1.0], [3.0]]])
    ... )
    array([[[2.]]])
    """

    _ndim = (3, 4)
    _allow_nan = True

    def __init__(
        self,
        montage: Any = "double_banana",
        *,
        ch_names: Sequence[str] | None = None,
    ) -> None:
        self.montage = montage
        self.ch_names = ch_names

    def _fit(self, X: np.ndarray) -> None:
        caller = type(self).__name__
        montage = get_montage(self.montage, caller=caller)
        if isinstance(self.ch_names, str):
            raise ValueError(
                f"{caller}: ch_names must be a list of names, got the text "
                f"{self.ch_names!r}."
            )
        names = CH_NAMES if self.ch_names is None else list(self.ch_names)
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
        self._matrix = montage.matrix(names, caller=caller)
        self.montage_ = montage

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        return len(self.montage_), *X.shape[2:]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return derive(X, self._matrix, out=out)

    def _feature_names_out(self, names: list[str]) -> list[str]:
        return list(self.montage_.names)
