"""By how much signals are continued before they are filtered forward and backward."""

from __future__ import annotations

import numpy as np
from scipy.signal import sosfilt

__all__ = ["default_padlen", "ringing_samples"]

# MNE's way of looking for the end of an impulse response.
_RING_PIECE = 1000
_RING_LIMIT = 100_000


def default_padlen(sos: np.ndarray) -> int:
    """Return the padding that ``scipy.signal.sosfiltfilt`` applies by default.

    Parameters
    ----------
    sos : ndarray of shape (n_sections, 6)
        Filter.

    Returns
    -------
    int
        Number of samples at each end: three times the number of coefficients.

    Examples
    --------
    >>> from hmsklearn.signal import butterworth_sos
    >>> default_padlen(butterworth_sos(0.5, 20.0, order=4))
    27
    """
    n_taps = 2 * len(sos) + 1
    n_taps -= min((sos[:, 2] == 0).sum(), (sos[:, 5] == 0).sum())
    return 3 * int(n_taps)


def ringing_samples(sos: np.ndarray) -> int:
    """Return how long a filter rings, the padding of MNE's recursive filters.

    Parameters
    ----------
    sos : ndarray of shape (n_sections, 6)
        Filter.

    Returns
    -------
    int
        The last sample at which the impulse response exceeds a thousandth of its
        largest value; at most 100,000.

    Notes
    -----
    As ``mne.filter.estimate_ringing_samples``: the response is followed in pieces of
    1,000 samples, up to the first in which nothing exceeds the threshold.

    Examples
    --------
    >>> from hmsklearn.signal import butterworth_sos
    >>> ringing_samples(butterworth_sos(0.5, 20.0, order=4))
    632
    """
    sos = np.array(sos)
    piece, memory = np.zeros(_RING_PIECE), np.zeros((len(sos), 2))
    piece[0] = 1.0
    threshold, last = 0.0, _RING_PIECE
    for start in range(0, _RING_LIMIT, _RING_PIECE):
        response, memory = sosfilt(sos, piece, zi=memory)
        piece[0] = 0.0
        response = np.abs(response)
        threshold = max(threshold, 0.001 * response.max())
        above = np.flatnonzero(response > threshold)
        if not above.size:
            return start - _RING_PIECE + last
        last = int(above[-1])
    return _RING_LIMIT
