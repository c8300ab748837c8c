"""The lines of a montage: what they are called and which weights they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hmsklearn.montage._derivation import Derivation
from hmsklearn.montage._names import CH_NAMES, pick_channels

__all__ = ["Lines"]


@dataclass(frozen=True, repr=False)
class Lines:
    """Derivations in order, by name and as a matrix; see Montage for the fields."""

    name: str
    derivations: tuple[Derivation, ...]
    chains: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    aliases: tuple[str, ...] = ()
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        derivations = tuple(map(Derivation.of, self.derivations))
        if not derivations:
            raise ValueError(f"Montage: {self.name!r} holds no derivation.")
        places = range(len(derivations))
        chains = {chain: tuple(members) for chain, members in self.chains.items()}
        for chain, members in chains.items():
            if not members or not all(i in places for i in members):
                raise ValueError(
                    f"Montage: chain {chain!r} of {self.name!r} must hold positions "
                    f"0 .. {len(places) - 1} of its derivations, got {members}."
                )
        if self.order and sorted(self.order) != list(places):
            raise ValueError(
                f"Montage: order of {self.name!r} must hold each of 0 .. "
                f"{len(places) - 1} once, got {self.order}."
            )
        meaning: dict[str, Derivation] = {}
        for derivation in derivations:
            other = meaning.setdefault(derivation.name, derivation)
            if dict(other.weights) != dict(derivation.weights):
                raise ValueError(
                    f"Montage: {self.name!r} calls two different derivations "
                    f"{derivation.name!r}. Give one of them another name."
                )
        object.__setattr__(self, "derivations", derivations)
        object.__setattr__(self, "chains", chains)
        object.__setattr__(self, "aliases", tuple(self.aliases))
        object.__setattr__(self, "order", tuple(self.order))

    def __len__(self) -> int:
        return len(self.derivations)

    def __repr__(self) -> str:
        chains = f", chains {' '.join(self.chains)}" if self.chains else ""
        return f"<Montage {self.name!r}: {len(self)} derivations{chains}>"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the derivations, such as ``"Fp1-F7"``."""
        return tuple(derivation.name for derivation in self.derivations)

    @property
    def electrodes(self) -> tuple[str, ...]:
        """Electrodes that carry a weight, in the order of their first use."""
        used = (name for line in self.derivations for name, _ in line.weights)
        return tuple(dict.fromkeys(used))

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Anode and cathode of each derivation, ``anode - cathode``."""
        pairs = []
        for derivation in self.derivations:
            if derivation.pair is None:
                raise ValueError(
                    f"Montage: {derivation.name!r} of {self.name!r} is no difference "
                    "of two electrodes. Use the montage's matrix, not its pairs."
                )
            pairs.append(derivation.pair)
        return tuple(pairs)

    @property
    def plot_order(self) -> tuple[int, ...]:
        """Positions of the derivations top to bottom, chain after chain."""
        in_chains = (i for members in self.chains.values() for i in members)
        return self.order or tuple(dict.fromkeys([*in_chains, *range(len(self))]))

    def indices(
        self, ch_names: Sequence[str] = CH_NAMES, *, caller: str = "Montage"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the positions of anodes and cathodes among the channels.

        Parameters
        ----------
        ch_names : sequence of str, default=CH_NAMES
            Names of the channels, in the order of the data.
        caller : str, default="Montage"
            Name that starts the error messages.

        Returns
        -------
        anodes, cathodes : ndarray of int, shape (n_derivations,)
            Positions, so that ``X[:, anodes] - X[:, cathodes]`` is the montage.

        Raises
        ------
        ValueError
            If a derivation is no difference of two electrodes, or one is missing.
        """
        pairs = self.pairs
        anodes = pick_channels([a for a, _ in pairs], ch_names, caller=caller)
        cathodes = pick_channels([c for _, c in pairs], ch_names, caller=caller)
        return anodes, cathodes

    def matrix(
        self, ch_names: Sequence[str] = CH_NAMES, *, caller: str = "Montage"
    ) -> np.ndarray:
        """Return the derivation matrix.

        Parameters
        ----------
        ch_names : sequence of str, default=CH_NAMES
            Names of the channels, in the order of the data.
        caller : str, default="Montage"
            Name that starts the error messages.

        Returns
        -------
        ndarray of float64, shape (n_derivations, n_channels)
            The weights, one row for each derivation. Apply them with
            :func:`hmsklearn.signal.derive`, not with a matrix product: zero times NaN
            is NaN.

        Raises
        ------
        ValueError
            If an electrode is missing, with the nearest names.
        """
        used = self.electrodes
        place = dict(
            zip(used, pick_channels(used, ch_names, caller=caller), strict=True)
        )
        out = np.zeros((len(self), len(ch_names)))
        for row, derivation in zip(out, self.derivations, strict=True):
            for electrode, weight in derivation.weights:
                row[place[electrode]] += weight
        return out
