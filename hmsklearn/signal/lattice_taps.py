"""What a chain of all-pass lattices has to put out to be a given filter.

The response of a filter with close poles is a small difference of large numbers,
whether it is computed in time, section by section, or from polynomials: a band-stop
from 0.1 to 80 Hz of order 8 loses twelve of the sixteen digits of double precision. So
it is done once, with as many digits as it takes.
"""

from __future__ import annotations

from decimal import Context, Decimal, localcontext

import numpy as np

__all__ = ["lattice_taps"]

# Decimal digits. Poles closer to one another than 1e-5 radians cost five for each pair
# of them, and so do those that are as close to the unit circle.
_DIGITS, _PER_STATE = 60, 15

#: Coefficients, highest power first.
_Polynomial = list[Decimal]


def _product(p: _Polynomial, q: _Polynomial) -> _Polynomial:
    result = [Decimal(0)] * (len(p) + len(q) - 1)
    for i, a in enumerate(p):
        for j, b in enumerate(q):
            result[i + j] += a * b
    return result


def _divide(p: _Polynomial, a: _Polynomial) -> tuple[_Polynomial, _Polynomial]:
    """Quotient and remainder, the latter shorter than `a` by one; `a` starts with 1."""
    rest, degree = list(p), len(a) - 1
    for i in range(len(p) - degree):
        for j in range(1, degree + 1):
            rest[i + j] -= rest[i] * a[j]
    split = max(len(p) - degree, 0)
    return rest[:split], [Decimal(0)] * (degree - len(p)) + rest[split:]


def _share(rest: _Polynomial, before: _Polynomial, a: _Polynomial) -> _Polynomial:
    """Polynomial whose product with `before` leaves `rest` when divided by `a`."""
    r, m = _divide(rest, a)[1], _divide(before, a)[1]
    if len(a) == 2:
        return [r[0] / m[0]]
    # In the basis z, 1 that product is a matrix.
    of_z, of_one = (m[1] - a[1] * m[0], -a[2] * m[0]), (m[0], m[1])
    determinant = of_z[0] * of_one[1] - of_one[0] * of_z[1]
    return [
        (r[0] * of_one[1] - r[1] * of_one[0]) / determinant,
        (r[1] * of_z[0] - r[0] * of_z[1]) / determinant,
    ]


def _taps(share: _Polynomial, a: _Polynomial) -> list[Decimal]:
    """Weights of one lattice's states, whose numerators they are to add up to."""
    if len(a) == 2:  # the state: c / a
        return [share[0] / ((1 - a[1]) * (1 + a[1])).sqrt()]
    # The states: c1 c2 z / a and c2 (1 + k1 z) / a.
    k1, c2 = a[1] / (1 + a[2]), ((1 - a[2]) * (1 + a[2])).sqrt()
    c1 = ((1 - k1) * (1 + k1)).sqrt()
    return [(share[0] - share[1] * k1) / (c1 * c2), share[1] / c2]


def lattice_taps(sections: list[np.ndarray]) -> np.ndarray:
    """Weigh the states of all-pass lattices in a row so that they form a filter.

    Parameters
    ----------
    sections : list of ndarray of shape (2,) or (3,)
        Stable sections of first or second order, as two rows: numerator and
        denominator, which starts with 1, both of the length of the order plus one.
        Those of the filter, of which the lattices have the poles, in their order.

    Returns
    -------
    ndarray of shape (n_states,)
        Weights of the states of the normalised lattices, see
        :mod:`hmsklearn.signal.realisation`. What they do not add up to is the input
        times the product of the numerators' first coefficients.

    Notes
    -----
    From the input to a state of lattice ``j`` leads ``r_1 .. r_{j-1} p_j`` over
    ``a_1 .. a_j``, where ``r`` is ``a`` with its coefficients in reverse. The numerator
    of the filter is a sum of such terms over the common denominator. All but the last
    one have the factor ``a_n``: so the remainder of a division by ``a_n`` tells the
    last one, and what is left is the same question with one lattice less.

    Examples
    --------
    >>> lattice_taps([np.array([[0.5, 0.5], [1.0, -0.5]])]).round(6)
    array([0.866025])
    """
    n_states = sum(section.shape[1] - 1 for section in sections)
    with localcontext(Context(prec=_DIGITS + _PER_STATE * n_states)):
        numerator, denominator, behind = ([Decimal(1)] for _ in range(3))
        lattices = []
        for section in sections:
            b, a = ([Decimal(value) for value in row] for row in section.tolist())
            lattices.append((behind, a))
            numerator = _product(numerator, b)
            denominator = _product(denominator, a)
            behind = _product(behind, a[::-1])
        pairs = zip(numerator, denominator, strict=True)
        rest = [b - numerator[0] * a for b, a in pairs][1:]
        taps: list[Decimal] = []
        for before, a in reversed(lattices):
            share = _share(rest, before, a)
            taken = _product(before, share)
            left = [r - t for r, t in zip(rest, taken, strict=True)]
            rest = _divide(left, a)[0]
            taps = _taps(share, a) + taps
        return np.array([float(tap) for tap in taps])
