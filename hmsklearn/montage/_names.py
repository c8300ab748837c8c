"""Names of electrodes: as files spell them, as this package does, and mirrored."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import numpy as np

__all__ = [
    "CH_NAMES",
    "canonical_name",
    "front_back_electrode",
    "mirror_electrode",
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

_FRONT_BACK = {
    **{"Fp1": "O1", "F3": "P3", "C3": "C3", "F7": "T5", "T3": "T3"},
    **{"Fz": "Pz", "Cz": "Cz", "EKG": "EKG"},
    **{"Fp2": "O2", "F4": "P4", "C4": "C4", "F8": "T6", "T4": "T4"},
}
_FRONT_BACK |= {back: front for front, back in _FRONT_BACK.items()}


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
    bare = re.sub(r"^eeg[\s_]+(?=\S)", "", str(name).strip(), flags=re.I)
    bare = re.sub(r"[-_\s](ref|le|ar|avg|cz_ref)$", "", bare, flags=re.I)
    # Files say "ECG EKG" of the heart; "ECG 1" is one lead of it, no electrode "1".
    key = re.sub(r"^(ecg|ekg)[\s_]+(?=(ecg|ekg)$)", "", bare.lower())
    key = _ALIASES.get(key, key)
    return _SPELLING.get(key, bare)


def mirror_electrode(name: str) -> str:
    """Return the electrode at the same place of the other hemisphere.

    Parameters
    ----------
    name : str
        Name of an electrode, in any spelling.

    Returns
    -------
    str
        Odd numbers become the next even one and the other way round (Fp1 and Fp2, T3
        and T4); the midline and the EKG stay.

    Raises
    ------
    ValueError
        If the name has neither a number nor a ``z`` at its end.

    Examples
    --------
    >>> [mirror_electrode(name) for name in ("Fp1", "T8", "Cz", "EKG")]
    ['Fp2', 'T3', 'Cz', 'EKG']
    """
    name = canonical_name(name)
    if re.match(r"(ekg|ecg)", name, flags=re.I):
        return name
    numbered = re.fullmatch(r"(.*?)([1-9]\d*)", name)
    if numbered:
        stem, number = numbered[1], int(numbered[2])
        return f"{stem}{number + 1 if number % 2 else number - 1}"
    if name.lower().endswith("z"):
        return name
    raise ValueError(
        f"mirror_electrode: the side of {name!r} is not known: names of electrodes end "
        "in an odd number (left), an even number (right) or z (midline). Leave the "
        "channel out of the montage that is to be mirrored."
    )


def front_back_electrode(name: str) -> str:
    """Return the electrode that is as far behind as this one is in front.

    Parameters
    ----------
    name : str
        Name of an electrode, in any spelling.

    Returns
    -------
    str
        Fp1 and O1, F3 and P3, F7 and T5, Fz and Pz trade places, and so do their
        twins on the right; C3, C4, T3, T4, Cz and the EKG stay.

    Raises
    ------
    ValueError
        If it is none of the 20 channels of :data:`CH_NAMES`.

    Examples
    --------
    >>> [front_back_electrode(name) for name in ("Fp1", "P8", "Cz", "EKG")]
    ['O1', 'F8', 'Cz', 'EKG']
    """
    name = canonical_name(name)
    if name not in _FRONT_BACK:
        raise ValueError(
            f"front_back_electrode: the place of {name!r} is not known. Known: "
            f"{', '.join(CH_NAMES)}. Leave the channel out of the montage that is to "
            "be flipped."
        )
    return _FRONT_BACK[name]


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
