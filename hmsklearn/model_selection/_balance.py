"""Whole groups dealt into folds so that many sums come out even at once.

Every group is a vector of what it brings: rows, votes for each class, the same within
each population of rows. Fold sums are compared with an equal share; what is made small
is the sum of the squared relative deviations. Groups are dealt one by one, largest
first, and then moved and swapped until nothing gets better.
"""

from __future__ import annotations

import numpy as np

__all__ = ["deal_groups"]

# Swaps are looked for among at most this many groups of each of two folds. Folds of
# more groups than that are even to a tenth of a percent after the moves alone.
_N_SWAP = 512

# A change is an improvement if it lowers the loss by this share of it, or at all above
# what rounding does.
_RELATIVE, _ABSOLUTE = 1e-6, 1e-12


def deal_groups(
    sums: np.ndarray, n_folds: int, rng: np.random.RandomState | None = None
) -> np.ndarray:
    """Deal groups into folds with even sums.

    Parameters
    ----------
    sums : ndarray of shape (n_groups, n_cells)
        What each group brings to each cell, not negative. At least as many groups as
        folds.
    n_folds : int
        Number of folds.
    rng : RandomState, optional
        Where the order of the groups is drawn from; without it the largest come first.

    Returns
    -------
    ndarray of shape (n_groups,)
        Fold of each group. No fold is empty.

    Notes
    -----
    A group is as large as the largest share of a cell that it has. The loss is ``sum
    (S / m - 1)**2`` over folds and cells, S being the sum of a fold and m the mean over
    folds. A move of a group x from fold a to b changes it by ``2 |x|**2 + 2 x (S_b -
    S_a)`` in units of m, a swap of x and z by the same with z - x; so all moves are
    judged by one matrix product, and all swaps of two folds by another.

    Examples
    --------
    >>> sums = np.array([[3.0, 0.0], [0.0, 3.0], [2.0, 1.0], [1.0, 2.0]])
    >>> deal_groups(sums, 2).tolist()
    [0, 0, 1, 1]
    """
    total = sums.sum(axis=0)
    used = total > 0
    scaled = sums[:, used] / (total[used] / n_folds)
    if rng is None:
        order = np.argsort(-scaled.max(axis=1, initial=0.0), kind="stable")
    else:
        order = rng.permutation(sums.shape[0])
    deal = _Deal(scaled, n_folds, order)
    while deal.move() or deal.swap():
        pass
    return deal.fold


class _Deal:
    """Which group is in which fold, and what the folds sum up to."""

    def __init__(self, sums: np.ndarray, n_folds: int, order: np.ndarray) -> None:
        self.sums = sums
        self.squares = (sums**2).sum(axis=1)
        self.fold = np.empty(order.size, dtype=np.intp)
        self.totals = np.zeros((n_folds, sums.shape[1]))
        self.sizes = np.zeros(n_folds, dtype=np.intp)
        for number, group in enumerate(order):
            cost = self.totals @ sums[group]
            empty = self.sizes == 0
            if order.size - number <= empty.sum():
                # As many groups left as empty folds: each gets one.
                cost = np.where(empty, cost, np.inf)
            self._put(group, int(np.argmin(cost)))

    def move(self) -> bool:
        """Move groups to other folds while that helps; tell whether it did."""
        rows = np.arange(self.fold.size)
        moved = False
        while True:
            towards = self.sums @ self.totals.T
            change = towards - towards[rows, self.fold][:, None]
            change += self.squares[:, None]
            change[rows, self.fold] = np.inf
            change[self.sizes[self.fold] == 1] = np.inf
            group, fold = divmod(int(np.argmin(change)), self.sizes.size)
            if not self._is_gain(change[group, fold]):
                return moved
            self._take(group)
            self._put(group, fold)
            moved = True

    def swap(self) -> bool:
        """Swap pairs of groups while that helps; tell whether it did."""
        swapped = False
        for one in range(self.sizes.size):
            for other in range(one + 1, self.sizes.size):
                while self._swap_best(one, other):
                    swapped = True
        return swapped

    def _swap_best(self, one: int, other: int) -> bool:
        here, there = self._candidates(one), self._candidates(other)
        tilt = self.totals[one] - self.totals[other]
        change = self.sums[here] @ (-2.0 * self.sums[there].T)
        change += (self.squares[here] - self.sums[here] @ tilt)[:, None]
        change += self.squares[there] + self.sums[there] @ tilt
        i, j = divmod(int(np.argmin(change)), there.size)
        if not self._is_gain(change[i, j]):
            return False
        self._take(here[i])
        self._take(there[j])
        self._put(here[i], other)
        self._put(there[j], one)
        return True

    def _candidates(self, fold: int) -> np.ndarray:
        groups = np.flatnonzero(self.fold == fold)
        if groups.size > _N_SWAP:
            # Of all sizes, since a swap works by the difference of two groups.
            groups = groups[np.argsort(self.squares[groups], kind="stable")]
            groups = groups[np.linspace(0, groups.size - 1, _N_SWAP).astype(np.intp)]
        return groups

    def _is_gain(self, change: float) -> bool:
        # `change` is half of what the loss changes by.
        loss = ((self.totals - 1.0) ** 2).sum()
        return bool(2.0 * change < -max(_RELATIVE * loss, _ABSOLUTE))

    def _put(self, group: int, fold: int) -> None:
        self.fold[group] = fold
        self.totals[fold] += self.sums[group]
        self.sizes[fold] += 1

    def _take(self, group: int) -> None:
        fold = self.fold[group]
        self.totals[fold] -= self.sums[group]
        self.sizes[fold] -= 1
