"""What becomes of a montage when the head is turned round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hmsklearn.montage._names import canonical_name

if TYPE_CHECKING:
    from hmsklearn.montage._lines import Lines

__all__ = ["Flip"]

_SAME = 1e-9


@dataclass(frozen=True)
class Flip:
    """Derivations trading places, as the electrodes under them do.

    The montage of the flipped EEG is ``X[:, permutation] * signs[:, None]``, where `X`
    is the montage of the EEG itself: what derivation ``permutation[i]`` showed before,
    derivation i shows after, upside down where ``signs[i]`` is -1. Twice changes
    nothing. :func:`hmsklearn.signal.derive` with :attr:`matrix` does it to arrays and
    tensors.

    Attributes
    ----------
    permutation : tuple of int
        For each derivation, the position of the one that comes to its place.
    signs : tuple of int
        1, or -1 where a pair lands on its own reverse: mirrored, P3-P4 is
        P4-P3 = -(P3-P4), and Fp1-F7 turned front to back is O1-T5 = -(T5-O1).
    chains : mapping of str to str
        For each chain, the one that it trades places with.

    Examples
    --------
    >>> from hmsklearn.montage import get_montage
    >>> flip = get_montage("double_banana_16").mirror()
    >>> flip.permutation
    (4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11)
    >>> flip.chains["LL"], flip.chain_permutation(["LL", "RL", "LP", "RP"])
    ('RL', (1, 0, 3, 2))
    """

    permutation: tuple[int, ...]
    signs: tuple[int, ...]
    chains: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def matrix(self) -> np.ndarray:
        """The flip as a matrix of 0, 1 and -1, shape (n_derivations, n_derivations)."""
        out = np.zeros((len(self.permutation),) * 2)
        out[np.arange(len(out)), self.permutation] = self.signs
        return out

    def chain_permutation(self, chains: Sequence[str]) -> tuple[int, ...]:
        """Say how panels trade places of which each shows one chain.

        Parameters
        ----------
        chains : sequence of str
            The chain of each panel, in order.

        Returns
        -------
        tuple of int
            ``panels[:, permutation]`` are the panels of the flipped EEG. Signs do not
            matter to spectrograms.

        Raises
        ------
        ValueError
            If a chain becomes none of these.
        """
        chains = list(chains)
        for chain in chains:
            if self.chains.get(chain) not in chains:
                raise ValueError(
                    f"Flip: chain {chain!r} becomes {self.chains.get(chain)!r}, which "
                    f"is not among the panels {chains}. Known: {dict(self.chains)}."
                )
        return tuple(chains.index(self.chains[chain]) for chain in chains)


def find_flip(
    montage: Lines,
    rename: Callable[[str], str],
    *,
    what: str,
    twin: Callable[[str], str],
) -> Flip:
    """Find the flip of a montage that an exchange of electrodes amounts to.

    `twin` guesses the name of the chain that a chain becomes. It is only asked where
    the derivations leave a choice: some montages hold the midline twice.
    """
    rows = [dict(derivation.weights) for derivation in montage.derivations]
    rows = [{canonical_name(name): w for name, w in row.items()} for row in rows]
    flipped = [{rename(name): w for name, w in row.items()} for row in rows]
    electrodes = sorted({name for row in [*rows, *flipped] for name in row})
    before, after = _dense(rows, electrodes), _dense(flipped, electrodes)
    upright, upside_down = _equal(after, before), _equal(after, -before)
    becomes = upright | upside_down
    alike = _equal(before, before) | _equal(before, -before)
    for i, derivation in enumerate(montage.derivations):
        there, here = becomes[i].sum(), alike[i].sum()
        if there != here:
            image = derivation.renamed(rename).name
            held = f"holds only {there} times" if there else "does not hold"
            raise ValueError(
                f"Montage: {montage.name!r} is not closed under the {what}: "
                f"{derivation.name} becomes {image}, which it {held}. Flip the "
                "electrodes before the montage, or take a montage with both."
            )
    permutation = _pair_up(becomes, _preferences(montage.chains, becomes, twin))
    signs = [1 if upright[i, j] else -1 for i, j in enumerate(permutation)]
    sets = {chain: set(members) for chain, members in montage.chains.items()}
    images = {
        chain: next(
            (
                other
                for other in sets
                if sets[other] == {permutation[i] for i in members}
            ),
            None,
        )
        for chain, members in sets.items()
    }
    chains = {chain: other for chain, other in images.items() if other is not None}
    return Flip(tuple(permutation), tuple(signs), chains)


def _dense(rows: list[dict[str, float]], electrodes: list[str]) -> np.ndarray:
    return np.array([[row.get(name, 0.0) for name in electrodes] for row in rows])


def _equal(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.abs(one[:, None] - other[None]).max(axis=-1) < _SAME


def _preferences(
    chains: Mapping[str, tuple[int, ...]],
    becomes: np.ndarray,
    twin: Callable[[str], str],
) -> list[set[int]]:
    """For each derivation, the members of the chain into which its chain goes."""
    preferred: list[set[int]] = [set() for _ in becomes]
    shares = becomes / becomes.sum(axis=1, keepdims=True)
    for chain, members in chains.items():
        votes = {
            other: round(shares[np.ix_(members, theirs)].sum(), 9)
            for other, theirs in chains.items()
        }
        image = max(votes, key=lambda other: (votes[other], other == twin(chain)))
        for member in members:
            preferred[member].update(chains[image])
    return preferred


def _pair_up(becomes: np.ndarray, preferred: list[set[int]]) -> list[int]:
    """Choose one partner for each, both ways, so that twice is the identity."""
    permutation = [-1] * len(becomes)
    for i in range(len(becomes)):
        if permutation[i] < 0:
            free = [j for j in np.flatnonzero(becomes[i]) if permutation[j] < 0]
            j = min(free, key=lambda j: (j not in preferred[i], j))
            permutation[i], permutation[j] = int(j), i
    return permutation
