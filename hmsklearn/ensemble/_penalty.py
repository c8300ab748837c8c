"""What holds the parameters of a blend back: shrinkage, bounds, a fixed total.

One object says it for every solver: how much a parameter vector costs, what the
smallest value of a quadratic model with that cost is, and how far below a given point
the optimum can lie at most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

__all__ = ["Penalty"]

# Block pivoting changes all wrong coordinates at once. Where that does not help so
# many times in a row, one coordinate at a time does.
_PATIENCE = 4

# Slopes of a model whose curvatures are around one are rounding below this.
_FLAT = 1e-14

# Slopes up to this are rounding; more of it is no slope of zero.
_ROUNDING = 1e-10

_GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)


@dataclass(frozen=True)
class Penalty:
    """A separable convex cost of parameters, with bounds and a fixed total.

    Attributes
    ----------
    centre : ndarray of shape (n_params,)
        Where the shrinkage leads to.
    l2 : ndarray of shape (n_params,)
        Strength of the squares: ``l2 / 2 * (x - centre) ** 2``.
    l1 : ndarray of shape (n_params,)
        Strength of the distances: ``l1 * abs(x - centre)``.
    lower : ndarray of shape (n_params,)
        Smallest value allowed, minus infinity for none.
    whole : ndarray of bool of shape (n_params,)
        Parameters that sum to one; none of them for no such condition.

    Examples
    --------
    >>> penalty = Penalty.of(2, l2=1.0, centre=0.5)
    >>> penalty.value(np.array([0.5, 1.5]))
    0.5
    """

    centre: np.ndarray
    l2: np.ndarray
    l1: np.ndarray
    lower: np.ndarray
    whole: np.ndarray

    @classmethod
    def of(
        cls,
        n_params: int,
        *,
        centre: float | np.ndarray = 0.0,
        l2: float | np.ndarray = 0.0,
        l1: float | np.ndarray = 0.0,
        lower: float | np.ndarray = -np.inf,
        whole: bool | np.ndarray = False,
    ) -> Penalty:
        """Make one from numbers that hold for all parameters, or arrays.

        Parameters
        ----------
        n_params : int
            Number of parameters.
        centre, l2, l1, lower, whole : float or ndarray of shape (n_params,)
            The attributes.

        Returns
        -------
        Penalty
            With arrays throughout.

        Examples
        --------
        >>> Penalty.of(3, lower=0.0).lower.tolist()
        [0.0, 0.0, 0.0]
        """
        centre, l2, l1, lower = (
            np.broadcast_to(np.asarray(each, dtype=np.float64), n_params).copy()
            for each in (centre, l2, l1, lower)
        )
        whole = np.broadcast_to(np.asarray(whole, dtype=bool), n_params).copy()
        return cls(centre, l2, l1, lower, whole)

    def take(self, chosen: np.ndarray) -> Penalty:
        """Return the penalty of some of the parameters."""
        parts = (self.centre, self.l2, self.l1, self.lower, self.whole)
        return Penalty(*(part[chosen] for part in parts))

    def inside(self, x: np.ndarray) -> np.ndarray:
        """Return the parameters without what rounding took over a bound."""
        x = np.maximum(x, self.lower)
        if self.whole.any():
            x[self.whole] /= x[self.whole].sum()
        return x

    def value(self, x: np.ndarray) -> float:
        """Return the cost of a parameter vector.

        Parameters
        ----------
        x : ndarray of shape (n_params,)
            The parameters.

        Returns
        -------
        float
            Sum over the parameters.
        """
        away = x - self.centre
        return float(0.5 * (self.l2 * away**2).sum() + (self.l1 * np.abs(away)).sum())

    def residual(self, x: np.ndarray, gradient: np.ndarray) -> float:
        """Return the largest violation of the optimality conditions.

        The natural residual: how far a unit step against the gradient, followed by
        the proximal map of the cost and the bounds, moves the parameters.

        Parameters
        ----------
        x : ndarray of shape (n_params,)
            The parameters, within their bounds.
        gradient : ndarray of shape (n_params,)
            Gradient of the loss, without the penalty.

        Returns
        -------
        float
            Zero at the optimum only.
        """
        slope = gradient + self.l2 * (x - self.centre)
        if not self.whole.any():
            return self._moved_by(slope, x)
        # The multiplier of the total is whatever explains the point best.
        middle, spread = self._range_of_multipliers(slope, x)
        return -_largest(
            lambda each: -self._moved_by(slope + each * self.whole, x), middle, spread
        )

    def _moved_by(self, slope: np.ndarray, x: np.ndarray) -> float:
        away = x - slope - self.centre
        shrunk = np.sign(away) * np.maximum(np.abs(away) - self.l1, 0.0)
        moved = np.maximum(self.centre + shrunk, self.lower) - x
        return float(np.abs(moved).max(initial=0.0))

    def floor(self, slope: np.ndarray, x: np.ndarray) -> float:
        """Return the minimum of ``slope @ x + value(x)`` over all that is allowed.

        Parameters
        ----------
        slope : ndarray of shape (n_params,)
            Slope of a linear lower bound of the loss.
        x : ndarray of shape (n_params,)
            The point at hand. Parameters that nothing holds back have no minimum
            unless their slope is zero; rounding in it is charged as if the optimum
            were no further away than ``1 + abs(x)``. A slope beyond
            rounding is charged so much more that next to nothing is certified.

        Returns
        -------
        float
            The minimum; with a fixed total a lower bound of it.
        """
        if not self.whole.any():
            return self._separate_floor(slope, x)

        # The Lagrangian is a lower bound whatever the multiplier, and concave in it.
        def lagrangian(multiplier: float) -> float:
            return self._separate_floor(slope + multiplier * self.whole, x) - multiplier

        if not self.l2[self.whole].any():
            # Made of straight lines: the largest value is where two of them meet.
            ends = -slope[self.whole], self.l1[self.whole]
            corners = np.unique([ends[0] - ends[1], ends[0] + ends[1]])
            return max(lagrangian(float(corner)) for corner in corners)
        slopes = slope + self.l2 * (x - self.centre)
        return _largest(lagrangian, *self._range_of_multipliers(slopes, x))

    def model_minimum(
        self, hessian: np.ndarray, linear: np.ndarray, start: np.ndarray
    ) -> np.ndarray:
        """Minimise ``x H x / 2 - linear x + value(x)`` over all that is allowed.

        Block principal pivoting on the pieces of the cost: every parameter is at its
        bound, below its centre, at it or above it. All that are in the wrong place
        change at once; where that does not help, one at a time.

        Parameters
        ----------
        hessian : ndarray of shape (n_params, n_params)
            Positive definite.
        linear : ndarray of shape (n_params,)
            Linear term.
        start : ndarray of shape (n_params,)
            Point whose pieces are tried first.

        Returns
        -------
        ndarray of shape (n_params,)
            The minimum.
        """
        hessian = hessian + np.diag(self.l2)
        linear = linear + self.l2 * self.centre
        # A kink at or below the bound is no kink: the slope is the same all over.
        kinked = (self.l1 > 0) & (self.centre > self.lower)
        l1 = np.where(kinked, self.l1, 0.0)
        linear = linear - np.where(kinked, 0.0, self.l1)
        kink = np.where(kinked, self.centre, -np.inf)
        place = np.full(start.size, _ABOVE)
        place[start <= self.lower] = _AT_BOUND
        place[kinked & (start < kink) & (start > self.lower)] = _BELOW
        place[kinked & (start == kink)] = _AT_KINK

        fewest, patience = start.size + 1, _PATIENCE
        best, best_value = start, np.inf
        for _ in range(10 * start.size + 50):
            x, slope = self._on_pieces(hessian, linear, l1, kink, place)
            wanted = _better_places(x, slope, place, l1, kink, self.lower, kinked)
            wrong = np.flatnonzero(wanted != place)
            inside = self.inside(x)
            value = float(
                0.5 * inside @ hessian @ inside
                - linear @ inside
                + (l1 * np.abs(inside - np.where(kinked, kink, 0.0))).sum()
            )
            if value < best_value:
                best, best_value = inside, value
            if wrong.size == 0:
                return inside
            if wrong.size < fewest:
                fewest, patience = wrong.size, _PATIENCE
            elif patience > 0:
                patience -= 1
            else:
                wrong = wrong[-1:]
            place[wrong] = wanted[wrong]
        return best

    def _on_pieces(
        self,
        hessian: np.ndarray,
        linear: np.ndarray,
        l1: np.ndarray,
        kink: np.ndarray,
        place: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Solve with every parameter on its piece; return the slopes as well."""
        free = (place == _BELOW) | (place == _ABOVE)
        whole = self.whole
        if whole.any() and not (free & whole).any():
            # Something must be free to make up the total.
            free[np.flatnonzero(whole)[np.argmax(linear[whole])]] = True
        x = np.where(place == _AT_BOUND, self.lower, kink)
        x[free] = 0.0
        side = np.where(place == _BELOW, -1.0, 1.0) * l1
        right = (linear - side - hessian @ x)[free]
        block = hessian[np.ix_(free, free)]
        multiplier = 0.0
        if whole.any():
            n_free = right.size
            bordered = np.zeros((n_free + 1, n_free + 1))
            bordered[:n_free, :n_free] = block
            bordered[:n_free, n_free] = bordered[n_free, :n_free] = whole[free]
            rest = 1.0 - x[whole & ~free].sum()
            solution = np.linalg.solve(bordered, np.append(right, rest))
            x[free], multiplier = solution[:-1], solution[-1]
        elif right.size:
            x[free] = np.linalg.solve(block, right)
        return x, hessian @ x - linear + multiplier * whole

    def _range_of_multipliers(
        self, slope: np.ndarray, x: np.ndarray
    ) -> tuple[float, float]:
        """Guess the multiplier of the total, and how far off it can be."""
        free = self.whole & (x > self.lower)
        middle = -float(np.median(slope[free if free.any() else self.whole]))
        spread = float(np.abs(slope + middle)[self.whole].max() + self.l1.max())
        return middle, spread + 1e-9

    def _separate_floor(self, slope: np.ndarray, x: np.ndarray) -> float:
        centre, l1, l2, lower = self.centre, self.l1, self.l2, self.lower
        bounded = np.isfinite(lower)
        soft = np.sign(slope) * np.maximum(np.abs(slope) - l1, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            away = np.where(l2 > 0, -soft / l2, 0.0)
        point = centre + away
        # Without squares the minimum is at the centre or at the bound, or nowhere.
        to_bound = (l2 == 0) & bounded & (soft > 0)
        point = np.where(to_bound, lower, point)
        point = np.maximum(point, lower)
        nothing = (l2 == 0) & (l1 == 0)
        point = np.where(nothing & bounded, lower, np.where(nothing, x, point))
        nowhere = (l2 == 0) & (soft != 0) & ~to_bound
        # A slope that is more than rounding has no minimum: it is charged so much more
        # that the bound says little, and stays concave in the multiplier. On a simplex
        # nothing is further away than one.
        steep = np.where(nowhere, np.abs(soft), 0.0)
        near = self.whole & bounded[self.whole].all()
        beyond = np.where(near, 1.0, 1.0 + steep / _ROUNDING)
        rounding = (steep * (1.0 + np.abs(x)) * beyond).sum()
        return float(slope @ point + self.value(point) - rounding)


_AT_BOUND, _BELOW, _AT_KINK, _ABOVE = range(4)


def _largest(function: Callable[[float], float], middle: float, spread: float) -> float:
    """Return the largest value that a quasi-concave function takes near a point."""
    # Golden sections: one new value a step. Forty of them leave 4e-9 of the range.
    width = 2.0 * spread
    low, high = middle - spread, middle + spread
    left, right = high - _GOLDEN * width, low + _GOLDEN * width
    at_left, at_right = function(left), function(right)
    best = max(function(middle), at_left, at_right)
    for _ in range(40):
        width *= _GOLDEN
        if at_left < at_right:
            low, left, at_left = left, right, at_right
            right = low + _GOLDEN * width
            at_right = function(right)
        else:
            high, right, at_right = right, left, at_left
            left = high - _GOLDEN * width
            at_left = function(left)
        best = max(best, at_left, at_right)
    return best


def _better_places(
    x: np.ndarray,
    slope: np.ndarray,
    place: np.ndarray,
    l1: np.ndarray,
    kink: np.ndarray,
    lower: np.ndarray,
    kinked: np.ndarray,
) -> np.ndarray:
    """Say where every parameter should be, given the solution on its piece."""
    wanted = place.copy()
    flat = _FLAT * (1.0 + l1)
    below, above = place == _BELOW, place == _ABOVE
    wanted[below & (x < lower)] = _AT_BOUND
    # A solution at the kink up to rounding is on its piece: it may have to stay there
    # while another parameter leaves the kink, where both make up the total.
    rounding = _FLAT * (1.0 + np.abs(np.where(kinked, kink, 0.0)))
    wanted[below & (x > kink + rounding)] = _AT_KINK
    wanted[above & kinked & (x < kink - rounding)] = _AT_KINK
    wanted[above & ~kinked & (x < lower)] = _AT_BOUND
    rising = np.where(kinked, _BELOW, _ABOVE)
    leaves = (place == _AT_BOUND) & (slope - l1 < -flat)
    wanted[leaves] = rising[leaves]
    wanted[(place == _AT_KINK) & (slope > l1 + flat)] = _BELOW
    wanted[(place == _AT_KINK) & (slope < -l1 - flat)] = _ABOVE
    return wanted
