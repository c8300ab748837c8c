"""The two pools as greedy selection sees them: totals of picks and their values.

For the linear pool a total is the sum of the picks' probabilities, for the log pool
that of their logarithms. How good a further pick can be at best is computed for many
models at a time, in single precision, in blocks that stay in the cache.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hmsklearn._threads import in_threads

__all__ = ["LinearPicks", "LogPicks"]

# Values in a block, of which some fit into the cache at a time. Those of the log pool
# are divided among classes too, and short lines would cost more than the cache saves.
_BLOCK, _LOG_BLOCK = 65_536, 131_072
# Parts that threads share; fixed, so that sums do not depend on how many there are.
_PARTS = 8
# Above this, exponentials are normal numbers of single precision.
_LOWEST = -80.0
# What single precision may be wrong by, relative to sums, and in their terms.
_ROUNDING, _TERM_ROUNDING = 2e-6, 3e-7


class LinearPicks:
    """The linear pool: the mean of the picks' probabilities.

    Parameters
    ----------
    entries : ndarray of shape (n_models, n_entries), float64
        Probabilities of the voted entries, divided by the voted fractions.
    share : ndarray of shape (n_entries,), float64
        Share of all the votes in each entry.
    caller : str
        Name in errors.

    Raises
    ------
    ValueError
        If the entries are not positive or the shares do not fit them.

    Examples
    --------
    >>> pool = LinearPicks(np.array([[0.5, 0.25]]), np.array([0.5, 0.5]), "example")
    >>> round(pool.value(pool.add(pool.nothing(), 0), 1), 3)
    1.04
    """

    def __init__(self, entries: np.ndarray, share: np.ndarray, caller: str) -> None:
        self.entries = np.asarray(entries, dtype=np.float64)
        self.share = np.asarray(share, dtype=np.float64)
        if self.entries.ndim != 2 or 0 in self.entries.shape:
            raise ValueError(
                f"{caller}: entries have shape {self.entries.shape}, expected "
                "(n_models, n_entries) with at least one of each."
            )
        self.n_models, n_entries = self.entries.shape
        if self.share.shape != (n_entries,):
            raise ValueError(
                f"{caller}: share has shape {self.share.shape}, expected "
                f"({n_entries},), one for each entry."
            )
        if not (self.share.min() >= 0 and abs(self.share.sum() - 1.0) < 1e-9):
            raise ValueError(
                f"{caller}: share must hold non-negative numbers that sum to one."
            )
        if not (self.entries.min() > 0 and np.isfinite(self.entries.max())):
            raise ValueError(
                f"{caller}: entries must be positive and finite. Clip the "
                "probabilities away from zero."
            )
        self._single = _Rows(self.entries)

    def nothing(self) -> np.ndarray:
        """Total of no picks.

        Returns
        -------
        ndarray of shape (n_entries,)
            Zeros.
        """
        return np.zeros(self.share.size)

    def add(self, total: np.ndarray, model: int, amount: float = 1.0) -> np.ndarray:
        """Total with one pick more.

        Parameters
        ----------
        total : ndarray of shape (n_entries,)
            The total so far.
        model : int
            The pick.
        amount : float, default=1.0
            How often it is picked.

        Returns
        -------
        ndarray of shape (n_entries,)
            The new total.
        """
        if amount == 1.0:
            return total + self.entries[model]
        return total + amount * self.entries[model]

    def value(self, total: np.ndarray, n_picks: float) -> float:
        """KL divergence of the mean of the picks.

        Parameters
        ----------
        total : ndarray of shape (n_entries,)
            Their total.
        n_picks : float
            Their number.

        Returns
        -------
        float
            The divergence in nat.
        """
        return float(np.log(n_picks) - self.share @ np.log(total))

    def lower_bounds(
        self, total: np.ndarray, n_picks: int, candidates: np.ndarray
    ) -> np.ndarray:
        """Bounds of the values of the total with each candidate.

        Parameters
        ----------
        total : ndarray of shape (n_entries,)
            Total of the picks so far.
        n_picks : int
            Their number with the candidate.
        candidates : ndarray of int
            Models to add, one at a time.

        Returns
        -------
        ndarray of shape (n_candidates,)
            No candidate makes the divergence smaller than this.

        Notes
        -----
        A pick changes every pooled probability by some share x of itself, and the
        divergence falls by the mean of ``log(1 + x)``. That is at most ``x (6 + x) /
        (6 + 4 x)``, a Padé approximant that differs by ``x**4 / 36`` for small x.
        Written as ``x / 4 + 9 / 8 - 27 / (24 + 16 x)``, it needs one reciprocal where
        the logarithm takes four times as long.
        """
        rows = self._single.of(candidates)
        size = max(1, _BLOCK // candidates.size)
        shape = (candidates.size, size)
        if n_picks == 1:
            share = self.share.astype(np.float32)

            def gain(start: int, stop: int, block: np.ndarray) -> np.ndarray:
                logs = block[:, : stop - start]
                np.log(rows[:, start:stop], out=logs)
                return logs @ share[start:stop]

            values = -_sum_of_blocks(gain, total.size, size, shape)
            return values - _ROUNDING * (1.0 + np.abs(values))

        # x = probability / whole - 1 / n_picks
        whole = total * (n_picks / (n_picks - 1))
        slope = (self.share / whole).astype(np.float32)
        shift = (whole * (1.5 - 1.0 / n_picks)).astype(np.float32)
        scaled = (self.share * whole).astype(np.float32)

        def terms(start: int, stop: int, block: np.ndarray) -> np.ndarray:
            part, inverse = rows[:, start:stop], block[:, : stop - start]
            np.add(part, shift[start:stop], out=inverse)
            np.reciprocal(inverse, out=inverse)
            both = np.empty((2, candidates.size), np.float32)
            np.matmul(part, slope[start:stop], out=both[0])
            np.matmul(inverse, scaled[start:stop], out=both[1])
            return both

        sums = _sum_of_blocks(terms, total.size, size, shape, 2)
        change = sums[0] - 1.0 / n_picks
        gain_at_most = change / 4 + 9 / 8 - 27 / 16 * sums[1]
        slack = _ROUNDING * (1.0 + np.abs(sums[0]))
        return self.value(total, n_picks - 1) - gain_at_most - slack


class LogPicks:
    """The log pool: the normalised geometric mean of the picks' probabilities.

    Parameters
    ----------
    log_prob : ndarray of shape (n, n_models, n_classes), float64
        Logarithms of the models' probabilities.
    fractions : ndarray of shape (n, n_classes), float64
        Vote fractions.
    weight : ndarray of shape (n,) or None
        Weights of the rows.
    caller : str
        Name in errors.

    Raises
    ------
    ValueError
        If the shapes do not fit or a number is not finite.

    Examples
    --------
    >>> log_prob, fractions = np.log([[[0.5, 0.5]]]), np.array([[1.0, 0.0]])
    >>> pool = LogPicks(log_prob, fractions, None, "example")
    >>> round(pool.value(pool.add(pool.nothing(), 0), 1), 3)
    0.693
    """

    def __init__(
        self,
        log_prob: np.ndarray,
        fractions: np.ndarray,
        weight: np.ndarray | None,
        caller: str,
    ) -> None:
        log_prob, fractions, self.weight = check_log_pool(
            log_prob, fractions, weight, caller
        )
        n, self.n_models, n_classes = log_prob.shape
        # Rows last: what is done to a value is done to many in a line. The largest
        # logarithm of every model and row is made zero, which changes no pool.
        self.log_prob = np.ascontiguousarray(log_prob.transpose(1, 2, 0))
        self.log_prob -= self.log_prob.max(axis=1, keepdims=True)
        lowest = self.log_prob.min(axis=1)
        self._in_range = bool(lowest.min() > _LOWEST)
        self._extent = -lowest @ self.weight
        self._single = _Rows(self.log_prob)
        mass = (fractions * self.weight[:, None]).T
        self._linear = self.log_prob.reshape(self.n_models, -1) @ mass.ravel()
        voted = fractions > 0
        entropy = np.zeros_like(fractions)
        entropy[voted] = fractions[voted] * np.log(fractions[voted])
        self._entropy = float(self.weight @ entropy.sum(axis=1))
        self._mass = mass
        self._shape = (n_classes, n)

    def nothing(self) -> np.ndarray:
        """Total of no picks.

        Returns
        -------
        ndarray of shape (n_classes, n)
            Zeros.
        """
        return np.zeros(self._shape)

    def add(self, total: np.ndarray, model: int, amount: float = 1.0) -> np.ndarray:
        """Total with one pick more.

        Parameters
        ----------
        total : ndarray of shape (n_classes, n)
            The total so far.
        model : int
            The pick.
        amount : float, default=1.0
            How often it is picked.

        Returns
        -------
        ndarray of shape (n_classes, n)
            The new total.
        """
        if amount == 1.0:
            return total + self.log_prob[model]
        return total + amount * self.log_prob[model]

    def value(self, total: np.ndarray, n_picks: float) -> float:
        """KL divergence of the normalised geometric mean of the picks.

        Parameters
        ----------
        total : ndarray of shape (n_classes, n)
            Their total.
        n_picks : float
            Their number.

        Returns
        -------
        float
            The divergence in nat.
        """
        mean = total / n_picks
        linear = np.vdot(self._mass, mean)
        normaliser = self.weight @ _log_sum_exp(mean, 0, self._in_range)
        return float(self._entropy - linear + normaliser)

    def lower_bounds(
        self, total: np.ndarray, n_picks: int, candidates: np.ndarray
    ) -> np.ndarray:
        """Bounds of the values of the total with each candidate.

        Parameters
        ----------
        total : ndarray of shape (n_classes, n)
            Total of the picks so far.
        n_picks : int
            Their number with the candidate.
        candidates : ndarray of int
            Models to add, one at a time.

        Returns
        -------
        ndarray of shape (n_candidates,)
            The divergences, less what single precision may be wrong by.
        """
        n_classes, n = self._shape
        rows = self._single.of(candidates)
        single, weight = total.astype(np.float32), self.weight.astype(np.float32)
        scale = np.float32(1.0 / n_picks)

        def normaliser(start: int, stop: int, block: np.ndarray) -> np.ndarray:
            means = block[..., : stop - start]
            np.add(rows[..., start:stop], single[:, start:stop], out=means)
            means *= scale
            return _log_sum_exp(means, 1, self._in_range) @ weight[start:stop]

        size = max(1, _LOG_BLOCK // (candidates.size * n_classes))
        shape = (candidates.size, n_classes, size)
        normalisers = _sum_of_blocks(normaliser, n, size, shape)
        linear = (np.vdot(self._mass, total) + self._linear[candidates]) / n_picks
        values = self._entropy - linear + normalisers
        size_of_terms = self.weight @ np.abs(total).max(axis=0)
        size_of_terms += self._extent[candidates]
        slack = _ROUNDING * (1.0 + np.abs(values))
        return values - slack - _TERM_ROUNDING * size_of_terms / n_picks


def check_log_pool(
    log_prob: np.ndarray,
    fractions: np.ndarray,
    weight: np.ndarray | None,
    caller: str,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check what is fitted on logarithms of probabilities.

    Parameters
    ----------
    log_prob : array-like of shape (n, n_models, n_classes)
        Logarithms of the models' probabilities.
    fractions : array-like of shape (n, n_classes)
        Vote fractions; rows sum to one.
    weight : array-like of shape (n,) or None
        Weights of the rows.
    caller : str
        Name in errors.

    Returns
    -------
    tuple of ndarray
        The same as float64, the weights summing to one.

    Raises
    ------
    ValueError
        If the shapes do not fit or a number is not finite.

    Examples
    --------
    >>> check_log_pool(np.zeros((2, 1, 1)), np.ones((2, 1)), None, "example")[2]
    array([0.5, 0.5])
    """
    log_prob = np.asarray(log_prob, dtype=np.float64)
    fractions = np.asarray(fractions, dtype=np.float64)
    if log_prob.ndim != 3 or 0 in log_prob.shape:
        raise ValueError(
            f"{caller}: log_prob has shape {log_prob.shape}, expected (n_windows, "
            "n_models, n_classes) with at least one of each."
        )
    n, _, n_classes = log_prob.shape
    if fractions.shape != (n, n_classes):
        raise ValueError(
            f"{caller}: fractions have shape {fractions.shape}, expected "
            f"({n}, {n_classes}), one for each row and class of log_prob."
        )
    if not np.isfinite(log_prob).all():
        raise ValueError(
            f"{caller}: log_prob is not finite. Clip the probabilities away from zero "
            "before you take logarithms."
        )
    if not (
        (fractions >= 0).all() and (np.abs(fractions.sum(axis=1) - 1) < 1e-4).all()
    ):
        raise ValueError(
            f"{caller}: fractions must not be negative, and each row must sum to one."
        )
    weight = np.ones(n) if weight is None else np.asarray(weight, dtype=np.float64)
    if weight.shape != (n,):
        raise ValueError(
            f"{caller}: weight has shape {weight.shape}, expected ({n},), one for each "
            "row."
        )
    if not ((weight >= 0).all() and np.isfinite(weight).all() and weight.any()):
        raise ValueError(
            f"{caller}: weight must hold finite numbers that are not negative, and one "
            "of them must be positive."
        )
    return log_prob, fractions, weight / weight.sum()


class _Rows:
    """Rows of an array in single precision, contiguous; the last ones are kept."""

    def __init__(self, rows: np.ndarray) -> None:
        self._all = rows.astype(np.float32)
        self._chosen, self._rows = np.arange(len(rows)), self._all

    def of(self, chosen: np.ndarray) -> np.ndarray:
        if not np.array_equal(chosen, self._chosen):
            everything = len(chosen) == len(self._all)
            self._rows = self._all if everything else self._all[chosen]
            self._chosen = chosen
        return self._rows


def _log_sum_exp(values: np.ndarray, axis: int, in_range: bool) -> np.ndarray:
    """Logarithm of a sum of exponentials; `values` are overwritten."""
    if in_range:
        np.exp(values, out=values)
        return np.log(values.sum(axis=axis))
    largest = values.max(axis=axis, keepdims=True)
    values -= largest
    np.exp(values, out=values)
    return np.log(values.sum(axis=axis)) + largest.squeeze(axis)


def _sum_of_blocks(
    function: Callable[[int, int, np.ndarray], np.ndarray],
    n: int,
    size: int,
    shape: tuple[int, ...],
    n_sums: int | None = None,
) -> np.ndarray:
    """Sum a function of (start, stop, scratch array) over blocks, in float64."""
    edges = np.linspace(0, n, _PARTS + 1).astype(int)
    several = () if n_sums is None else (n_sums,)
    sums = np.zeros((_PARTS, *several, shape[0]))

    def one_part(number: int) -> None:
        block = np.empty(shape, np.float32)
        for start in range(edges[number], edges[number + 1], size):
            stop = min(start + size, edges[number + 1])
            sums[number] += function(start, stop, block)

    in_threads(one_part, range(_PARTS))
    return sums.sum(axis=0)
