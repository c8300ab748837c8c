"""ChainMean: one plane for each chain of the montage."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from hmsklearn._base import BaseSignalTransformer
from hmsklearn.montage import get_montage
from hmsklearn.signal.arrays import Array
from hmsklearn.signal.derivations import group_means

__all__ = ["ChainMean"]


class ChainMean(BaseSignalTransformer):
    """Mean over the derivations of each chain.

    Parameters
    ----------
    montage : str or Montage, default="double_banana"
        The montage that the input is in: its derivations are axis 1 of `X`, in order.
    chains : sequence of str or None, default=("LL", "RL", "LP", "RP")
        The chains to average, in the order of the output: left lateral, right lateral,
        left and right parasagittal. ``"Z"`` is the midline. None takes all chains of
        the montage in its order.

    Attributes
    ----------
    chains_ : tuple of str
        Names of the chains.
    n_features_in_ : int
        Number of derivations seen in ``fit``.

    Raises
    ------
    ValueError
        In ``fit``: for an unknown chain or montage, with the nearest names, or if the
        number of channels is not that of the montage.

    Notes
    -----
    Works on images ``(n_windows, n_derivations, height, width)`` and on signals
    ``(n_windows, n_derivations, n_times)``; axis 1 becomes the chains, everything else
    stays, dtype included. NaN in a derivation is NaN in its chain. The names out are
    those of the chains.

    Transform first, then average: the images of a chain's derivations have something
    in common, and their mean shows it. The signals of a chain telescope instead,
    ``(Fp1-F7) + (F7-T3) + (T3-T5) + (T5-O1) = Fp1-O1``, so that their mean knows
    nothing about the electrodes in between.

    References
    ----------
    The "magic formula" of C. Deotte's public notebook for HMS (discussion 469760). The
    organisers' own spectrograms average power over the same chains.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.imaging import ChainMean
    >>> images = np.arange(18.0)[None, :, None, None] * np.ones((2, 3))
    >>> mean = ChainMean().fit(images)
    >>> mean.transform(images)[0, :, 0, 0], mean.get_feature_names_out()
    (array([ 1.5,  5.5,  9.5, 13.5]), array(['LL', 'RL', 'LP', 'RP'], dtype=object))
    """

    _ndim = (3, 4)
    _allow_nan = True

    def __init__(
        self,
        montage: Any = "double_banana",
        chains: Sequence[str] | None = ("LL", "RL", "LP", "RP"),
    ) -> None:
        self.montage = montage
        self.chains = chains

    def _fit(self, X: np.ndarray) -> None:
        caller = type(self).__name__
        montage = get_montage(self.montage, caller=caller)
        if not montage.chains:
            raise ValueError(
                f"{caller}: the montage {montage.name!r} names no chains. Give a "
                "Montage whose `chains` says which derivations belong together."
            )
        chains: Any = self.chains
        if chains is None:
            chains = tuple(montage.chains)
        if isinstance(chains, str) or not isinstance(chains, Iterable):
            chains = ()
        chains = tuple(chains)
        if not chains:
            raise ValueError(
                f"{caller}: chains must be a list of names out of "
                f"{', '.join(montage.chains)}, got {self.chains!r}."
            )
        for chain in chains:
            if not isinstance(chain, str) or chain not in montage.chains:
                close = difflib.get_close_matches(
                    str(chain).upper(), list(montage.chains), n=2, cutoff=0.4
                )
                hint = f" Nearest: {', '.join(close)}." if close else ""
                raise ValueError(
                    f"{caller}: the montage {montage.name!r} has no chain {chain!r}. "
                    f"It has {', '.join(montage.chains)}.{hint}"
                )
        if X.shape[1] != len(montage):
            raise ValueError(
                f"{caller}: X has {X.shape[1]} channels (axis 1), the montage "
                f"{montage.name!r} has {len(montage)} derivations. Give the montage "
                "that X is in, the one of the MontageTransformer before."
            )
        self.chains_ = chains
        self._groups = [tuple(montage.chains[chain]) for chain in self.chains_]

    def _output_shape(self, X: np.ndarray) -> tuple[int, ...]:
        return len(self._groups), *X.shape[2:]

    def _transform(self, X: Array, out: np.ndarray | None = None) -> Array:
        return group_means(X, self._groups, out=out)

    def _feature_names_out(self, names: list[str]) -> list[str]:
        return list(self.chains_)
