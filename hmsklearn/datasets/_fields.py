"""Where on the scalp a simulated source is seen, and how strongly.

A source projects to every electrode with a weight that falls off smoothly with the
angle from its centre, so that bipolar chains show phase reversals and gradients
where a reader expects them.
"""

from __future__ import annotations

import numpy as np

from hmsklearn.montage import CH_NAMES

__all__ = [
    "SCALP",
    "both_sides",
    "eye_field",
    "muscle_gain",
    "one_sided",
    "smoothing",
]

#: The 19 electrodes of the scalp, in file order; the EKG is simulated apart.
SCALP: tuple[str, ...] = CH_NAMES[:-1]

# Angle from the vertex and azimuth (0 is the nose, negative is left), in degrees:
# the 10-20 system on a sphere.
_ANGLES = {
    "Fp1": (92, -18),
    "Fp2": (92, 18),
    "F7": (92, -54),
    "F8": (92, 54),
    "T3": (92, -90),
    "T4": (92, 90),
    "T5": (92, -126),
    "T6": (92, 126),
    "O1": (92, -162),
    "O2": (92, 162),
    "F3": (60, -39),
    "F4": (60, 39),
    "P3": (60, -141),
    "P4": (60, 141),
    "C3": (46, -90),
    "C4": (46, 90),
    "Fz": (46, 0),
    "Pz": (46, 180),
    "Cz": (0, 0),
}


def _positions() -> np.ndarray:
    """Return unit vectors (19, 3): to the right, to the front, upwards."""
    tilt, azimuth = np.radians([_ANGLES[name] for name in SCALP]).T
    return np.stack(
        [np.sin(tilt) * np.sin(azimuth), np.sin(tilt) * np.cos(azimuth), np.cos(tilt)],
        axis=1,
    )


_POSITIONS = _positions()


def _bump(centre: np.ndarray, width: float) -> np.ndarray:
    angle = np.arccos(np.clip(_POSITIONS @ centre, -1, 1))
    return np.exp(-0.5 * (angle / width) ** 2)


def one_sided(side: int, forward: float, width: float, leak: float) -> np.ndarray:
    """Return the field of a source in one hemisphere.

    Parameters
    ----------
    side : {-1, 1}
        Left or right.
    forward : float
        Position from occipital (-1) to frontal (1).
    width : float
        Spread in radians.
    leak : float
        What remains on the other side, as a share.

    Returns
    -------
    ndarray of shape (19,)
        Weights, at most one.
    """
    centre = np.array([0.75 * side, forward, 0.55])
    field = _bump(centre / np.linalg.norm(centre), width)
    lateral = _POSITIONS[:, 0] * side
    # A smooth step over the midline, so that the vertex electrodes see half.
    near = 0.5 * (1 + np.tanh(4 * lateral))
    field = field * (leak + (1 - leak) * near)
    return field / field.max()


def both_sides(forward: float, width: float, tilt: float = 0.0) -> np.ndarray:
    """Return the field of a synchronous source in both hemispheres.

    Parameters
    ----------
    forward : float
        Position of its maxima from occipital (-1) to frontal (1).
    width : float
        Spread in radians.
    tilt : float, default=0.0
        Asymmetry: positive favours the right; 0.1 is a tenth on either side.

    Returns
    -------
    ndarray of shape (19,)
        Weights, at most one.
    """
    field = np.zeros(len(SCALP))
    for side in (-1, 1):
        centre = np.array([0.55 * side, forward, 0.4])
        field += (1 + tilt * side) * _bump(centre / np.linalg.norm(centre), width)
    return field / field.max()


def eye_field() -> np.ndarray:
    """Return the field of a blink: frontopolar, gone behind the frontal row."""
    centre = np.array([0.0, 1.0, -0.25])
    field = _bump(centre / np.linalg.norm(centre), 0.42)
    return field / field.max()


def muscle_gain() -> np.ndarray:
    """Return how much scalp muscle each electrode sees: most over the temples."""
    gain = dict.fromkeys(SCALP, 0.15)
    gain |= {"T3": 1.0, "T4": 1.0, "F7": 0.9, "F8": 0.9, "Fp1": 0.6, "Fp2": 0.6}
    gain |= {"T5": 0.5, "T6": 0.5, "O1": 0.25, "O2": 0.25, "Cz": 0.03}
    return np.array([gain[name] for name in SCALP])


def smoothing(width: float) -> np.ndarray:
    """Return the matrix that turns independent noise into a smooth field.

    Parameters
    ----------
    width : float
        Spread in radians over which neighbouring electrodes share their noise.

    Returns
    -------
    ndarray of shape (19, 19)
        Rows have unit length, so unit variance stays.
    """
    angle = np.arccos(np.clip(_POSITIONS @ _POSITIONS.T, -1, 1))
    matrix = np.exp(-0.5 * (angle / width) ** 2)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
