"""Windows that are copies of each other: shifted, rescaled, or with a little noise.

Comparing all windows with all others would take hours. Each window is described by
short pieces around its own peaks, which are the same pieces in a copy, wherever in the
window they are and however large. Pieces are hashed; windows that share two hashes at
the same distance in time are candidates, and these alone are compared sample by sample.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from scipy.ndimage import maximum_filter1d, uniform_filter1d

__all__ = ["MIN_SECONDS", "find_copies"]

#: Shortest windows that have pieces to compare.
MIN_SECONDS = 4.0

_CHUNK = 32
# A mean over 45 ms, twice, less one over a second: what is between 1 and 12 Hz. Unlike
# a recursive filter it sees nothing beyond that second, so that a copy stays a copy
# however large the artefact is that the other window holds somewhere else.
_SHORT_SECONDS, _LONG_SECONDS = 0.045, 1.0
# A peak is the largest within a second to both sides; a piece is 1.5 s to both sides,
# at 20 Hz.
_PEAK_SECONDS, _PIECE_SECONDS, _PIECE_RATE = 1.0, 1.5, 20.0
_N_COMPONENTS, _N_TABLES = 16, 8
# As many bits as keep unlike pieces apart: the more pieces, the more.
_FEWEST_BITS, _MOST_BITS = 12, 30
# Of more copies of one thing than that, not all pairs are looked at, but those of each
# with the first and with the last.
_LARGEST_BUCKET = 200
# Copies agree to the sample in where their peaks are, up to noise.
_JITTER_SECONDS = 0.05

Read = Callable[[np.ndarray], np.ndarray]


def find_copies(
    read: Read,
    n_rows: int,
    eeg: np.ndarray,
    *,
    sfreq: float,
    min_correlation: float,
    min_overlap: float,
) -> pd.DataFrame:
    """Find pairs of windows of different EEGs with the same signal.

    Parameters
    ----------
    read : callable
        Given row numbers, returns their windows of shape (n, n_channels, n_times).
    n_rows : int
        Number of windows.
    eeg : ndarray of int of shape (n_rows,)
        EEG of each window; windows of the same one are not compared.
    sfreq : float
        Samples a second.
    min_correlation : float
        Smallest correlation of a copy, the median over channels.
    min_overlap : float
        Seconds that the windows must have in common.

    Returns
    -------
    DataFrame
        A row for each pair: ``row`` and ``other`` (the larger number), ``seconds`` (how
        much later in `other` the same thing comes), ``correlation`` (negative for a
        copy upside down) and ``exact``, whether the windows are equal to the bit.

    Notes
    -----
    Missing values count as zero. Windows without any change in any channel have no
    copies. Of more than 200 copies of one signal not all pairs are listed, but each
    with some. Some 3 kB stay in memory for each window of 50 s.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> record = rng.normal(size=(4, 3000)).cumsum(axis=1)
    >>> windows = np.stack([record[:, :2000], 3 * record[:, 600:2600],
    ...                     rng.normal(size=(4, 2000)).cumsum(axis=1)])
    >>> copies = find_copies(lambda rows: windows[rows], 3, np.arange(3), sfreq=200.0,
    ...                      min_correlation=0.9, min_overlap=3.0)
    >>> copies[["row", "other", "seconds"]].to_numpy().tolist()
    [[0.0, 1.0, -3.0]]
    """
    prints = _Prints(read, n_rows, sfreq)
    found = {pair: (0.0, 1.0, True) for pair in prints.equal(eeg)}
    candidates = [one for one in prints.candidates(eeg) if one[0] not in found]
    for (row, other), lag, value in _compare(read, candidates, sfreq, min_overlap):
        _, best, _ = found.get((row, other), (0.0, 0.0, False))
        if abs(value) >= min_correlation and abs(value) > abs(best):
            found[row, other] = (lag / sfreq, value, False)
    table = [(*pair, *what) for pair, what in sorted(found.items())]
    names = ["row", "other", "seconds", "correlation", "exact"]
    return pd.DataFrame(table, columns=names).astype({"row": int, "other": int})


def _chunks(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, rows.size, _CHUNK):
        yield rows[start : start + _CHUNK]


def _changes(window: np.ndarray) -> bool:
    filled = _filled(window)
    return bool((filled != filled[:, :1]).any())


def _filled(windows: np.ndarray) -> np.ndarray:
    windows = np.asarray(windows)
    if windows.dtype.kind != "f":
        windows = windows.astype(np.float32)
    missing = ~np.isfinite(windows)
    return np.where(missing, 0, windows) if missing.any() else windows


def _digest(window: np.ndarray) -> bytes:
    data = np.ascontiguousarray(window).data
    return hashlib.blake2b(data, digest_size=16).digest()


class _Prints:
    """Hashes of all windows, and of the pieces around their peaks."""

    def __init__(self, read: Read, n_rows: int, sfreq: float) -> None:
        self.sfreq = sfreq
        self.half = round(_PIECE_SECONDS * sfreq)
        self.step = max(1, round(sfreq / _PIECE_RATE))
        self._learn(read, n_rows)
        self._same: dict[bytes, list[int]] = {}
        row, time, hashes = [], [], []
        for rows in _chunks(np.arange(n_rows)):
            windows = read(rows)
            for number, window in zip(rows.tolist(), windows, strict=True):
                if _changes(window):
                    self._same.setdefault(_digest(window), []).append(number)
            for number, (pieces, at) in zip(rows, self._of(windows), strict=True):
                row.append(np.full(at.size, number))
                time.append(at)
                hashes.append(self._hash(pieces))
        self.row, self.time = np.concatenate(row), np.concatenate(time)
        self.hashes = np.concatenate(hashes, axis=1)

    def _learn(self, read: Read, n_rows: int) -> None:
        """Choose the planes, in units in which pieces vary alike in all directions."""
        sample = np.unique(np.linspace(0, n_rows - 1, 256).astype(np.intp))
        pieces = np.concatenate(
            [pieces for rows in _chunks(sample) for pieces, _ in self._of(read(rows))]
        )
        rng = np.random.RandomState(0)
        n_pieces = max(1.0, pieces.shape[0] * n_rows / sample.size)
        bits = round(2 * np.log2(n_pieces)) - 2
        self.n_bits = int(np.clip(bits, _FEWEST_BITS, _MOST_BITS))
        if pieces.shape[0] < 2:
            self.mean, self.planes = 0.0, np.zeros((pieces.shape[1], 0))
        else:
            self.mean = pieces.mean(axis=0)
            centred = pieces - self.mean
            size, axes = np.linalg.eigh(centred.T @ centred)
            size, axes = size[::-1][:_N_COMPONENTS], axes[:, ::-1][:, :_N_COMPONENTS]
            size = np.sqrt(np.maximum(size, 1e-2 * size[0]))
            self.planes = axes / size
        self.planes = self.planes @ rng.normal(
            size=(self.planes.shape[1], _N_TABLES * self.n_bits)
        )

    def equal(self, eeg: np.ndarray) -> list[tuple[int, int]]:
        """Pairs of windows that are equal to the bit."""
        pairs: list[tuple[int, int]] = []
        for rows in self._same.values():
            if len(rows) > 1:
                one, other = _pairs(np.array(rows))
                apart = eeg[one] != eeg[other]
                pairs += zip(one[apart].tolist(), other[apart].tolist(), strict=True)
        return pairs

    def candidates(self, eeg: np.ndarray) -> list[tuple[tuple[int, int], int]]:
        """Pairs of windows with two pieces at the same distance, and the distance."""
        first, second = [], []
        for hashes in self.hashes:
            order = np.argsort(hashes, kind="stable")
            ends = np.flatnonzero(np.diff(hashes[order])) + 1
            for bucket in _shared(order, ends, eeg[self.row]):
                one, other = _pairs(bucket)
                first.append(one)
                second.append(other)
        if not first:
            return []
        # Every pair of pieces once, whatever the number of tables that it shares.
        pairs = np.unique(
            np.stack([np.concatenate(first), np.concatenate(second)], axis=1), axis=0
        )
        one, other = pairs.T
        apart = eeg[self.row[one]] != eeg[self.row[other]]
        one, other = one[apart], other[apart]
        swap = self.row[one] > self.row[other]
        one, other = np.where(swap, other, one), np.where(swap, one, other)
        lag = self.time[other] - self.time[one]
        width = max(1.0, 2 * _JITTER_SECONDS * self.sfreq)
        found: dict[tuple[int, int, int], int] = {}
        for shift in (0.0, 0.5):  # so that no border of bins divides what is one
            bins = np.floor(lag / width + shift).astype(np.int64)
            keys = np.stack([self.row[one], self.row[other], bins], axis=1)
            unique, where, count = np.unique(
                keys, axis=0, return_inverse=True, return_counts=True
            )
            total = np.bincount(where.ravel(), weights=lag, minlength=count.size)
            for number in np.flatnonzero(count >= 2).tolist():
                row, partner, _ = unique[number].tolist()
                middle = round(total[number] / count[number])
                found[row, partner, middle] = middle
        return [((row, other), lag) for (row, other, _), lag in found.items()]

    def _of(self, windows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Pieces of each window, and where in the window they are."""
        mixed = _filter(_mix(_filled(windows)), self.sfreq)
        around = np.arange(-self.half, self.half, self.step)
        reach = 2 * round(_PEAK_SECONDS * self.sfreq) + 1
        found = []
        for window in mixed:
            size = np.abs(window)
            peak = (size == maximum_filter1d(size, reach, axis=-1)) & (size > 0)
            peak[:, : self.half] = False
            peak[:, window.shape[1] - self.half :] = False
            which, at = np.nonzero(peak)
            pieces = window[:, at[:, None] + around].transpose(1, 0, 2)
            # Upside down or not, the peak points up.
            pieces = pieces * np.sign(window[which, at])[:, None, None]
            length = np.linalg.norm(pieces, axis=2, keepdims=True)
            pieces = np.divide(
                pieces, length, out=np.zeros_like(pieces), where=length > 0
            )
            found.append((pieces.reshape(at.size, 2 * around.size), at))
        return found

    def _hash(self, pieces: np.ndarray) -> np.ndarray:
        bits = (pieces - self.mean) @ self.planes > 0
        bits = bits.reshape(pieces.shape[0], _N_TABLES, self.n_bits)
        return (bits @ (1 << np.arange(self.n_bits))).T


def _shared(order: np.ndarray, ends: np.ndarray, eeg: np.ndarray) -> list[np.ndarray]:
    """Buckets of pieces of more than one EEG."""
    starts = np.concatenate([[0], ends]).astype(np.intp)
    if order.size == 0:
        return []
    of = eeg[order]
    low, high = np.minimum.reduceat(of, starts), np.maximum.reduceat(of, starts)
    sizes = np.diff(np.append(starts, order.size))
    good = low != high
    return [
        order[start : start + size]
        for start, size in zip(starts[good], sizes[good], strict=True)
    ]


def _pairs(items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All pairs of a few things; of many, each with the first and with the last."""
    if items.size <= _LARGEST_BUCKET:
        one, other = np.triu_indices(items.size, 1)
        return items[one], items[other]
    ends = np.full(items.size - 1, items[0]), np.full(items.size - 1, items[-1])
    return np.concatenate([ends[0], items[:-1]]), np.concatenate([items[1:], ends[1]])


def _mix(windows: np.ndarray) -> np.ndarray:
    """Two sums of all channels with fixed signs, each channel in units of its own."""
    # Every eighth change will do to tell how large a channel's are.
    change = np.median(np.abs(windows[..., 1::8] - windows[..., :-1:8]), axis=-1)
    unit = np.divide(1.0, change, out=np.zeros_like(change), where=change > 0)
    signs = np.random.RandomState(1).choice([-1.0, 1.0], (2, windows.shape[1]))
    weights = (signs * unit[:, None]).astype(windows.dtype)
    return (weights @ windows).astype(np.float64)


def _filter(signals: np.ndarray, sfreq: float) -> np.ndarray:
    short, long = (_odd(seconds * sfreq) for seconds in (_SHORT_SECONDS, _LONG_SECONDS))
    smooth = uniform_filter1d(signals, short, mode="nearest")
    smooth = uniform_filter1d(smooth, short, mode="nearest")
    return smooth - uniform_filter1d(smooth, long, mode="nearest")


def _odd(n_samples: float) -> int:
    return 2 * int(n_samples / 2) + 1


def _compare(
    read: Read,
    candidates: list[tuple[tuple[int, int], int]],
    sfreq: float,
    min_overlap: float,
) -> Iterator[tuple[tuple[int, int], int, float]]:
    """Correlate candidates at their distance and a few samples around it."""
    for number in range(0, len(candidates), _CHUNK):
        some = candidates[number : number + _CHUNK]
        rows = np.unique([row for pair, _ in some for row in pair])
        windows = _filter(_filled(read(rows)).astype(np.float64), sfreq)
        of = dict(zip(rows.tolist(), windows, strict=True))
        for pair, lag in some:
            best, reach = (0, 0.0), round(_JITTER_SECONDS * sfreq / 2)
            for near in range(lag - reach, lag + reach + 1):
                value = _correlation(of[pair[0]], of[pair[1]], near, sfreq, min_overlap)
                if abs(value) > abs(best[1]):
                    best = (near, value)
            yield pair, best[0], best[1]


def _correlation(
    one: np.ndarray, other: np.ndarray, lag: int, sfreq: float, min_overlap: float
) -> float:
    """Median over channels of the correlation of what two windows have in common."""
    if one.shape[1] - abs(lag) < min_overlap * sfreq:
        return 0.0
    # Without what the ends of the windows have been made up for.
    end = round(sfreq * (_LONG_SECONDS / 2 + _SHORT_SECONDS))
    one, other = one[:, end:-end], other[:, end:-end]
    n_times = one.shape[1] - abs(lag)
    if n_times < sfreq:
        return 0.0
    one = one[:, max(0, -lag) :][:, :n_times]
    other = other[:, max(0, lag) :][:, :n_times]
    one = one - one.mean(axis=1, keepdims=True)
    other = other - other.mean(axis=1, keepdims=True)
    length = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    used = length > 0
    if not used.any():
        return 0.0
    return float(np.median((one * other).sum(axis=1)[used] / length[used]))
