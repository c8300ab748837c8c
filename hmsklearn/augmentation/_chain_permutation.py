"""ChainPermutation: whole chains of derivations trading places."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch

from hmsklearn.augmentation._base import BaseAugmentation
from hmsklearn.augmentation._random import constant, shuffled, spread
from hmsklearn.montage import Montage, get_montage

__all__ = ["ChainPermutation"]


class ChainPermutation(BaseAugmentation):
    """Let chains of derivations trade places at random, each as a whole.

    Parameters
    ----------
    montage : str, Montage or sequence of str, default="double_banana"
        What the channels are, or what the planes of images show.
    chains : sequence of str, default=None
        Chains that trade places. All must have the same number of derivations and none
        in common. By default, all chains as long as the longest one, so that the
        midline of the double banana stays.
    after_frontend : bool, default=False
        Whether it acts on what the frontend makes of the signals, one plane for each
        derivation.
    p : float, default=0.5
        Probability that a window is changed.
    views : sequence of str, default=None
        Names of the views that are changed, where windows have several; all of them by
        default.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier. In a classifier's ``fit`` torch's generator
        is used instead, which ``fit`` seeds.

    See Also
    --------
    ChannelShuffle : Shuffles single channels.

    Notes
    -----
    The order of derivations inside a chain stays. NaN moves with its channel.

    References
    ----------
    HMS: 4th and 15th place (discussion 492240).

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.augmentation import ChainPermutation
    >>> X = np.arange(18.0).reshape(1, 18, 1)
    >>> moved = ChainPermutation(p=1.0, random_state=0)(X).ravel()
    >>> moved[16:].tolist(), np.unique(moved[:16].reshape(4, 4) % 4, axis=0).tolist()
    ([16.0, 17.0], [[0.0, 1.0, 2.0, 3.0]])
    """

    def __init__(
        self,
        montage: Any = "double_banana",
        *,
        chains: Sequence[str] | None = None,
        after_frontend: bool = False,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(p=p, views=views, random_state=random_state)
        self.montage = montage
        self.chains = chains
        self.after_frontend = after_frontend

    def _check(self) -> None:
        self._places()

    def _places(self) -> tuple[int, tuple[tuple[int, ...], ...]]:
        """Count derivations, and list the positions of each chain that moves."""
        montage = self.montage
        if not isinstance(montage, Montage):
            montage = get_montage(montage, caller=self._name)
        wanted = None if self.chains is None else tuple(self.chains)
        return len(montage), _equal_chains(montage, wanted, self._name)

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        return {"order": shuffled(len(x), len(self._places()[1]), x, generator)}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        n_chans, places = self._places()
        if x.shape[1] != n_chans:
            raise ValueError(
                f"{self._name}: windows of shape {tuple(x.shape)} have {x.shape[1]} "
                f"channels, the montage {n_chans} derivations. Give the montage that "
                "the windows have at this point."
            )
        chains = constant(places, x.device)
        index = torch.arange(n_chans, device=x.device).repeat(len(x), 1)
        index = index.scatter(
            1,
            chains.reshape(1, -1).expand(len(x), -1),
            chains[params["order"]].flatten(1),
        )
        return x.gather(1, spread(index, x).expand_as(x))


@lru_cache(maxsize=64)
def _equal_chains(
    montage: Montage, wanted: tuple[str, ...] | None, caller: str
) -> tuple[tuple[int, ...], ...]:
    if wanted is None:
        longest = max(map(len, montage.chains.values()), default=0)
        chains = [c for c in montage.chains.values() if len(c) == longest]
    else:
        unknown = [name for name in wanted if name not in montage.chains]
        if unknown:
            raise ValueError(
                f"{caller}: the montage {montage.name!r} has no chain {unknown[0]!r}. "
                f"It has {', '.join(montage.chains)}."
            )
        chains = [montage.chains[name] for name in wanted]
    members = [i for chain in chains for i in chain]
    alike = len({len(chain) for chain in chains}) == 1
    if len(chains) < 2 or not alike or len(set(members)) < len(members):
        raise ValueError(
            f"{caller}: needs two or more chains of one length without derivations in "
            f"common, got {[list(chain) for chain in chains]} of {montage.name!r}. "
            "Name such chains in chains."
        )
    return tuple(chains)
