"""The montages of the organisers and of the published solutions, ready by name.

The first letter of a chain is its side, left or right, the second says lateral or
parasagittal, so that RL is the right lateral (temporal) one; Z is the midline. A widely
copied public notebook called RL "RP" and RP "RR": the names here follow the electrodes,
not the notebook.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from itertools import pairwise
from typing import Any

from hmsklearn.montage._derivation import Derivation
from hmsklearn.montage._montage import Montage
from hmsklearn.montage._names import CH_NAMES

__all__ = ["MONTAGES", "get_montage"]


def _along(*electrodes: str) -> list[str]:
    return [f"{anode}-{cathode}" for anode, cathode in pairwise(electrodes)]


def _backwards(chain: list[str]) -> list[str]:
    return ["-".join(reversed(name.split("-"))) for name in reversed(chain)]


def _by_chain(name: str, aliases: str = "", **chains: list[Any]) -> Montage:
    lines: list[Any] = []
    where: dict[str, tuple[int, ...]] = {}
    for chain, members in chains.items():
        where[chain] = tuple(range(len(lines), len(lines) + len(members)))
        lines += members
    return Montage(name, tuple(lines), where, tuple(aliases.split()))


def _with_ekg(montage: Montage, name: str, aliases: str = "") -> Montage:
    both = montage + Montage("ekg", (Derivation.of("EKG"),))
    return replace(both, name=name, aliases=tuple(aliases.split()))


def _interleaved(montage: Montage, name: str, aliases: str) -> Montage:
    """Left and right by turns; the chains come in pairs of one length."""
    chains = list(montage.chains.values())
    turns = [
        place
        for left, right in zip(chains[::2], chains[1::2], strict=True)
        for pair in zip(left, right, strict=True)
        for place in pair
    ]
    return replace(montage.take(turns), name=name, aliases=tuple(aliases.split()))


def _minus_average(electrode: str) -> Derivation:
    mean = dict.fromkeys(_SCALP, -1.0 / len(_SCALP))
    weights = {**mean, electrode: 1.0 - 1.0 / len(_SCALP)}
    return Derivation(f"{electrode}-avg", tuple(weights.items()))


_SCALP = CH_NAMES[:-1]
_SIDES: dict[str, list[str]] = {
    "L": list(_SCALP[:8]),
    "Z": list(_SCALP[8:11]),
    "R": list(_SCALP[11:]),
}

_LL = _along("Fp1", "F7", "T3", "T5", "O1")
_RL = _along("Fp2", "F8", "T4", "T6", "O2")
_LP = _along("Fp1", "F3", "C3", "P3", "O1")
_RP = _along("Fp2", "F4", "C4", "P4", "O2")
_Z = _along("Fz", "Cz", "Pz")
_LZ = _along("Fp1", "Fz", "Cz", "Pz", "O1")
_RZ = _along("Fp2", "Fz", "Cz", "Pz", "O2")
# Every second electrode of a chain, and across.
_LL2, _LP2 = _along("Fp1", "T3", "O1"), _along("Fp1", "C3", "O1")
_RL2, _RP2 = _along("Fp2", "T4", "O2"), _along("Fp2", "C4", "O2")
_TRANSVERSE = [
    *("Fz-F7", "Fz-F8", "Cz-T3", "Cz-T4", "Pz-T5", "Pz-T6"),
    *("P3-P4", "F3-F4"),
]

_double_banana = _by_chain(
    "double_banana", "host 4th_yu4u 7th adamnarai", LL=_LL, RL=_RL, LP=_LP, RP=_RP, Z=_Z
)
_double_banana_16 = _by_chain(
    "double_banana_16", "2nd 6th_raw", LL=_LL, RL=_RL, LP=_LP, RP=_RP
)
_by_side_16 = _by_chain(
    "by_side_16",
    "chris 4th_tattaka 5th_full 5th_kazumax 6th_spectrogram lhwcv_3",
    LL=_LL,
    LP=_LP,
    RL=_RL,
    RP=_RP,
)
_left_to_right_18 = _by_chain(
    "left_to_right_18", "4th_bilzard", LL=_LL, LP=_LP, Z=_Z, RP=_RP, RL=_RL
)
# The 4th place's nets saw either side with the midline.
_left_10 = _by_chain("left_10", "4th_bilzard_left", LL=_LL, LP=_LP, Z=_Z)
_right_10 = _by_chain("right_10", "4th_bilzard_right", RL=_RL, RP=_RP, Z=_Z)
_left_right_20 = _by_chain(
    "left_right_20", "4th_bilzard_20", LL=_LL, LP=_LP, LZ=_Z, RL=_RL, RP=_RP, RZ=_Z
)
_half_8 = _by_chain("half_8", "5th_half", LL=_LL2, LP=_LP2, RL=_RL2, RP=_RP2)
_half_8_left_to_right = _by_chain(
    "half_8_left_to_right", "resnet1d_gru", LL=_LL2, LP=_LP2, RP=_RP2, RL=_RL2
)
_midline_24 = _by_chain(
    "midline_24", "5th_double", LL=_LL, LP=_LP, LZ=_LZ, RL=_RL, RP=_RP, RZ=_RZ
)
# Back to front and back minus front: O1-T5, T5-T3, ...
_transverse_24 = _by_chain(
    "transverse_24",
    "15th",
    LL=_backwards(_LL),
    RL=_backwards(_RL),
    LP=_backwards(_LP),
    RP=_backwards(_RP),
    T=_TRANSVERSE,
)
_long_12 = _by_chain(
    "long_12",
    "lhwcv_1",
    LL=[*_LL2, "F7-T5"],
    LP=[*_LP2, "F3-P3"],
    RL=[*_RL2, "F8-T6"],
    RP=[*_RP2, "F4-P4"],
)
_reversed_16 = _by_chain(
    "reversed_16",
    "lhwcv_2",
    LL=_backwards(_LL),
    LP=_backwards(_LP),
    RL=_backwards(_RL),
    RP=_backwards(_RP),
)
_long_16 = _by_chain(
    "long_16",
    "lhwcv_4",
    LL=[*_LL2, "F7-T5"],
    LP=[*_LP2, "F3-P3"],
    LX=["F7-P3", "F3-T5"],
    RX=["F8-P4", "F4-T6"],
    RL=[*_RL2, "F8-T6"],
    RP=[*_RP2, "F4-P4"],
)
_average = _by_chain(
    "average_reference",
    "",
    **{side: list(map(_minus_average, names)) for side, names in _SIDES.items()},
)
_referential = _by_chain("referential", "", **_SIDES)

_READY: tuple[Montage, ...] = (
    _double_banana,
    _with_ekg(_double_banana, "double_banana_ekg", "double_banana_19"),
    _double_banana_16,
    _by_side_16,
    _interleaved(_double_banana_16, "interleaved_16", "3rd"),
    _left_to_right_18,
    _left_10,
    _right_10,
    _left_right_20,
    _half_8,
    _half_8_left_to_right,
    _midline_24,
    _transverse_24,
    _long_12,
    _reversed_16,
    _long_16,
    _average,
    _with_ekg(_average, "average_reference_ekg"),
    _referential,
    _with_ekg(_referential, "referential_ekg", "competition_columns"),
)

#: Ready montages by name. Each also answers to its aliases in :func:`get_montage`.
MONTAGES: dict[str, Montage] = {montage.name: montage for montage in _READY}

_BY_NAME: dict[str, Montage] = {}
for _montage in _READY:
    for _name in (_montage.name, *_montage.aliases):
        if _name in _BY_NAME:
            raise AssertionError(f"two montages are called {_name!r}")
        _BY_NAME[_name] = _montage


def get_montage(montage: Any, *, caller: str = "get_montage") -> Montage:
    """Return a montage by name, or build one from its lines.

    Parameters
    ----------
    montage : str, Montage or sequence
        A name or alias out of :data:`MONTAGES`, a Montage, or lines: pairs such as
        ``("Fp1", "F7")`` or ``"Fp1-F7"``, single electrodes such as ``"EKG"``, weighted
        sums such as ``{"Cz": 1, "C3": -0.5, "C4": -0.5}``.
    caller : str, default="get_montage"
        Name that starts the error messages.

    Returns
    -------
    Montage
        The montage.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest ones) or unusable lines.

    Examples
    --------
    >>> get_montage(["Fp1-T7", ("T3", "O1"), "ECG"]).names
    ('Fp1-T3', 'T3-O1', 'EKG')
    >>> get_montage("3rd")
    <Montage 'interleaved_16': 16 derivations, chains LL RL LP RP>
    """
    if isinstance(montage, Montage):
        return montage
    if isinstance(montage, str):
        if montage in _BY_NAME:
            return _BY_NAME[montage]
        close = difflib.get_close_matches(montage, list(_BY_NAME), n=2, cutoff=0.3)
        hint = f" Nearest: {', '.join(close)}." if close else ""
        raise ValueError(
            f"{caller}: montage {montage!r} is not known. Known: "
            f"{', '.join(MONTAGES)}; or give a list of electrode pairs.{hint}"
        )
    try:
        lines = [Derivation.of(line) for line in montage]
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{caller}: montage must be a name or a list of pairs such as "
            f"('Fp1', 'F7') or 'Fp1-F7', of single electrodes such as 'EKG', or of "
            f"weights such as {{'Cz': 1, 'C3': -1}}, got {montage!r} ({error})."
        ) from None
    if not lines:
        raise ValueError(f"{caller}: montage holds no pair.")
    return Montage("custom", tuple(lines))
