"""MontageTransformer: electrodes in, derivations out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn.montage import CH_NAMES, get_montage
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.derivations import pair_differences

__all__ = ["MontageTransformer"]


class MontageTransformer(BaseSignalTransformer):
    """Differences of electrodes, as clinicians read them.

    Parameters
    ----------
    montage : str, Montage or sequence of pairs, default="double_banana"
        ``"double_banana"`` (18 derivations: left and right lateral, left and right
        parasagittal, midline), ``"double_banana_16"`` (without the midline), a
        :class:`hmsklearn.montage.Montage`, or pairs such as ``[("Fp1", "F7")]`` or
        ``["Fp1-F7"]``. Names are matched through aliases (T7 = T3, ECG = EKG, ...).
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
    out, contiguous, in the unit and dtype of the input. The output is bit for bit the
    difference of two channels. NaN in an electrode makes NaN of the derivations that
    use it and leaves the others alone. The names out are those of the derivations.

    References
    ----------
    The order of the chains is that of the organisers' labelling tool; the 16
    derivations are those of the 2nd place of HMS (discussion 492254).

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
        pairs = montage.indices(names, caller=caller)
        self.montage_ = montage
        self._anodes, self._cathodes = (side.tolist() for side in pairs)

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        return len(self.montage_), X.shape[2]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return pair_differences(X, self._anodes, self._cathodes, out=out)

    def _feature_names_out(self, names: list[str]) -> list[str]:
        return list(self.montage_.names)
