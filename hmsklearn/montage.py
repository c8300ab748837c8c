"""Derivations: which electrode minus which, in what order, in which chain.

Clinicians call a set of derivations a montage. One :class:`Montage` object knows the
pairs, their names and their chains, so that transformers, flips and plots cannot
disagree about them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

__all__ = [
    "CH_NAMES",
    "MONTAGES",
    "Montage",
    "canonical_name",
    "get_montage",
    "pick_channels",
]

#: The 20 columns of a competition EEG file, in file order.
CH_NAMES: tuple[str, ...] = (
    *("Fp1", "F3", "C3", "P3", "F7", "T3", "T5", "O1"),
    *("Fz", "Cz", "Pz"),
    *("Fp2", "F4", "C4", "P4", "F8", "T4", "T6", "O2"),
    "EKG",
)

# Modern 10-10 names of the temporal electrodes, and the other word for the heart.
_ALIASES = {"t7": "t3", "t8": "t4", "p7": "t5", "p8": "t6", "ecg": "ekg"}
_SPELLING = {name.lower(): name for name in CH_NAMES}


def canonical_name(name: str) -> str:
    """Return the name under which this package knows an electrode.

    Case, the prefix ``EEG``, reference suffixes such as ``-REF`` or ``-LE`` and the
    modern names T7, T8, P7, P8 and ECG are understood.

    Parameters
    ----------
    name : str
        Channel name as found in a file.

    Returns
    -------
    str
        Name in the style of :data:`CH_NAMES`; unknown names come back stripped.

    Examples
    --------
    >>> [canonical_name(name) for name in ("EEG FP1-REF", "T7", "ecg", "A1")]
    ['Fp1', 'T3', 'EKG', 'A1']
    """
    bare = re.sub(r"^(eeg|ecg|ekg)[\s_]+(?=\S)", "", str(name).strip(), flags=re.I)
    bare = re.sub(r"[-_\s](ref|le|ar|avg|cz_ref)$", "", bare, flags=re.I)
    key = bare.lower()
    key = _ALIASES.get(key, key)
    return _SPELLING.get(key, bare)


def pick_channels(
    wanted: Sequence[str], ch_names: Sequence[str], *, caller: str = "pick_channels"
) -> np.ndarray:
    """Find channels by name, through aliases.

    Parameters
    ----------
    wanted : sequence of str
        Names to find.
    ch_names : sequence of str
        Names of the channels at hand.
    caller : str, default="pick_channels"
        Name that starts the error messages.

    Returns
    -------
    ndarray of int
        Position in `ch_names` of each wanted name.

    Raises
    ------
    ValueError
        If a name is missing (the message lists the nearest ones) or if two channels
        carry the same canonical name.

    Examples
    --------
    >>> pick_channels(["T7", "O2"], CH_NAMES)
    array([ 5, 18])
    """
    position: dict[str, int] = {}
    for index, name in enumerate(ch_names):
        key = canonical_name(name)
        if key in position:
            raise ValueError(
                f"{caller}: channels {ch_names[position[key]]!r} and {name!r} are the "
                f"same electrode ({key}). Drop one of them."
            )
        position[key] = index
    found = []
    for name in wanted:
        key = canonical_name(name)
        if key not in position:
            close = difflib.get_close_matches(key, list(position), n=3, cutoff=0.4)
            hint = f" Nearest: {', '.join(close)}." if close else ""
            raise ValueError(
                f"{caller}: electrode {name!r} is not among the channels "
                f"{list(ch_names)}.{hint} Pass ch_names in the order of your data."
            )
        found.append(position[key])
    return np.asarray(found, dtype=np.intp)


@dataclass(frozen=True)
class Montage:
    """Bipolar derivations with their names, order and chains.

    Attributes
    ----------
    name : str
        Name of the montage.
    pairs : tuple of (str, str)
        Anode and cathode of each derivation, ``anode - cathode``.
    chains : mapping of str to tuple of int
        Positions, in `pairs`, of the derivations of each chain, front to back.

    Raises
    ------
    ValueError
        If a chain is empty or holds a position that is none.

    Examples
    --------
    >>> montage = get_montage("double_banana")
    >>> len(montage), montage.names[:2], montage.chains["LP"]
    (18, ('Fp1-F7', 'F7-T3'), (8, 9, 10, 11))
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    chains: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for chain, members in self.chains.items():
            if not members or not all(i in range(len(self.pairs)) for i in members):
                raise ValueError(
                    f"Montage: chain {chain!r} of {self.name!r} must hold positions "
                    f"0 .. {len(self.pairs) - 1} of its pairs, got {tuple(members)}."
                )

    def __len__(self) -> int:
        return len(self.pairs)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the derivations, such as ``"Fp1-F7"``."""
        return tuple(f"{anode}-{cathode}" for anode, cathode in self.pairs)

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
        anodes, cathodes : ndarray of int, shape (n_pairs,)
            Positions, so that ``X[:, anodes] - X[:, cathodes]`` is the montage.
        """
        anodes = pick_channels([a for a, _ in self.pairs], ch_names, caller=caller)
        cathodes = pick_channels([c for _, c in self.pairs], ch_names, caller=caller)
        return anodes, cathodes

    def matrix(self, ch_names: Sequence[str] = CH_NAMES) -> np.ndarray:
        """Return the derivation matrix of shape (n_pairs, n_channels).

        Parameters
        ----------
        ch_names : sequence of str, default=CH_NAMES
            Names of the channels, in the order of the data.

        Returns
        -------
        ndarray of float64
            One row for each derivation: +1 at the anode, -1 at the cathode.
        """
        anodes, cathodes = self.indices(ch_names)
        out = np.zeros((len(self), len(ch_names)))
        out[np.arange(len(self)), anodes] = 1.0
        out[np.arange(len(self)), cathodes] -= 1.0
        return out


def _chain(*electrodes: str) -> list[tuple[str, str]]:
    return list(pairwise(electrodes))


_LL = _chain("Fp1", "F7", "T3", "T5", "O1")
_RL = _chain("Fp2", "F8", "T4", "T6", "O2")
_LP = _chain("Fp1", "F3", "C3", "P3", "O1")
_RP = _chain("Fp2", "F4", "C4", "P4", "O2")
_Z = _chain("Fz", "Cz", "Pz")


def _from_chains(name: str, **chains: list[tuple[str, str]]) -> Montage:
    pairs: list[tuple[str, str]] = []
    where: dict[str, tuple[int, ...]] = {}
    for chain, members in chains.items():
        where[chain] = tuple(range(len(pairs), len(pairs) + len(members)))
        pairs += members
    return Montage(name, tuple(pairs), where)


#: Ready montages by name. Chains run front to back, in the host's order: left
#: lateral, right lateral, left parasagittal, right parasagittal, midline.
MONTAGES: dict[str, Montage] = {
    montage.name: montage
    for montage in (
        _from_chains("double_banana", LL=_LL, RL=_RL, LP=_LP, RP=_RP, Z=_Z),
        _from_chains("double_banana_16", LL=_LL, RL=_RL, LP=_LP, RP=_RP),
    )
}


def get_montage(montage: Any, *, caller: str = "get_montage") -> Montage:
    """Return a montage by name, or build one from pairs.

    Parameters
    ----------
    montage : str, Montage or sequence of pairs
        A name out of :data:`MONTAGES`, a Montage, or pairs such as
        ``[("Fp1", "F7"), ("F7", "T3")]`` or ``["Fp1-F7", "F7-T3"]``.
    caller : str, default="get_montage"
        Name that starts the error messages.

    Returns
    -------
    Montage
        The montage.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest ones) or unusable pairs.

    Examples
    --------
    >>> get_montage(["Fp1-T7", ("T3", "O1")]).names
    ('Fp1-T3', 'T3-O1')
    """
    if isinstance(montage, Montage):
        return montage
    if isinstance(montage, str):
        if montage in MONTAGES:
            return MONTAGES[montage]
        close = difflib.get_close_matches(montage, list(MONTAGES), n=2, cutoff=0.3)
        hint = f" Nearest: {', '.join(close)}." if close else ""
        raise ValueError(
            f"{caller}: montage {montage!r} is not known. Known: "
            f"{', '.join(MONTAGES)}; or give a list of electrode pairs.{hint}"
        )
    pairs = []
    try:
        for pair in montage:
            anode, cathode = pair.split("-") if isinstance(pair, str) else pair
            pairs.append((canonical_name(anode), canonical_name(cathode)))
    except (TypeError, ValueError):
        raise ValueError(
            f"{caller}: montage must be a name or a list of pairs such as "
            f"('Fp1', 'F7') or 'Fp1-F7', got {montage!r}."
        ) from None
    if not pairs:
        raise ValueError(f"{caller}: montage holds no pair.")
    return Montage("custom", tuple(pairs))
