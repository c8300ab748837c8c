"""Temperature scaling of given probabilities, with or without class biases."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning

from hmsklearn.calibration._newton import solve
from hmsklearn.metrics import EPSILON, kl_divergence
from hmsklearn.metrics._rows import check_probabilities, check_rows

__all__ = [
    "BOUNDS",
    "TemperatureFit",
    "check_scaling",
    "fit_checked",
    "fit_temperature",
    "scale_temperature",
]

#: Smallest and largest temperature, if nothing else is said.
BOUNDS = (0.01, 100.0)


@dataclass(frozen=True)
class TemperatureFit:
    """A temperature and class biases, and what they do to the divergence.

    Attributes
    ----------
    temperature : float
        What logarithms of probabilities are divided by: above one flattens, below
        one sharpens.
    bias : ndarray of shape (n_classes,)
        What is added to them for each class, sum zero; all zero without biases.
    kl_before : float
        (Weighted) divergence of the given probabilities, in nat.
    kl_after : float
        That of the scaled ones, on the same rows.
    grad_norm : float
        Certificate: largest entry of the divergence's gradient in the inverse
        temperature and the biases. Zero at the one optimum only.
    n_iter : int
        Newton steps taken.

    See Also
    --------
    fit_temperature : Makes it.

    Examples
    --------
    >>> from hmsklearn.calibration import fit_temperature
    >>> fit = fit_temperature([[0.9, 0.1], [0.2, 0.8]], [[3, 1], [3, 7]])
    >>> round(fit.temperature, 3)
    1.868
    >>> fit.transform([[0.9, 0.1]]).round(3).tolist()
    [[0.764, 0.236]]
    """

    temperature: float
    bias: np.ndarray
    kl_before: float
    kl_after: float
    grad_norm: float
    n_iter: int

    def transform(self, proba: Any) -> np.ndarray:
        """Scale probabilities by what was fitted.

        Parameters
        ----------
        proba : array-like of shape (n, n_classes)
            Probabilities, classes in the order of the fit.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Scaled probabilities.
        """
        return scale_temperature(proba, self.temperature, self.bias)


def fit_temperature(
    proba: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    bias: bool = False,
    l2: float = 0.0,
    bounds: tuple[float, float] = BOUNDS,
    tol: float = 1e-9,
    max_iter: int = 100,
    classes: str | Sequence[Any] | np.ndarray | None = None,
) -> TemperatureFit:
    r"""Find the temperature that minimises the KL divergence to the votes.

    Parameters
    ----------
    proba : array-like of shape (n, n_classes)
        Predicted probabilities of rows that the model has not seen: out of fold, or
        held out.
    y : array-like of shape (n, n_classes) or (n,)
        Vote counts, fractions or hard labels.
    sample_weight : array-like of shape (n,), optional
        Weights of the rows.
    bias : bool, default=False
        Whether to fit a bias for each class as well.
    l2 : float, default=0.0
        Penalty ``l2 / 2 * sum(bias ** 2)`` beside the mean divergence.
    bounds : tuple of float, default=(0.01, 100.0)
        Smallest and largest temperature, for rows without a best one: hard labels
        that are all predicted right, or predictions that are worse than none.
    tol : float, default=1e-9
        Largest entry of the gradient that is taken for zero.
    max_iter : int, default=100
        Largest number of Newton steps; five are typical.
    classes : "hms", "infer", None or sequence of labels, default=None
        Labels in column order, see :func:`hmsklearn.metrics.kl_divergence`.

    Returns
    -------
    TemperatureFit
        Temperature, biases, divergences before and after, certificate.

    Raises
    ------
    ValueError
        If the tables or the arguments are not usable, or if a class has no votes and
        so no finite best bias.

    Warns
    -----
    ConvergenceWarning
        If the gradient is not as small as `tol` asks for.

    Notes
    -----
    The scaled probabilities are :math:`q = \mathrm{softmax}(\log p / T + b)`, p
    clipped to [1e-15, 1 - 1e-15] as in the competition's metric. The divergence is
    convex in :math:`(1/T, b)`, so there is one best value, found by Newton steps with
    exact derivatives from T = 1, b = 0; the result is never worse than that start on
    the rows of the fit.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (2017).

    Examples
    --------
    >>> from hmsklearn.calibration import fit_temperature
    >>> fit = fit_temperature([[0.9, 0.1], [0.2, 0.8]], [[3, 1], [3, 7]])
    >>> round(fit.kl_before, 4), round(fit.kl_after, 4), fit.grad_norm < 1e-9
    (0.0602, 0.0009, True)
    """
    name = "fit_temperature"
    check_scaling(bias, l2, bounds, tol, max_iter, name)
    rows = check_rows(y, proba, sample_weight=sample_weight, classes=classes, name=name)
    return fit_checked(
        rows.proba,
        rows.fractions,
        rows.weight,
        bias=bias,
        l2=l2,
        bounds=bounds,
        tol=tol,
        max_iter=max_iter,
        name=name,
    )


def scale_temperature(
    proba: Any, temperature: float = 1.0, bias: Any = None
) -> np.ndarray:
    """Divide the logarithms of probabilities by a temperature and add class biases.

    Parameters
    ----------
    proba : array-like of shape (n, n_classes)
        Probabilities.
    temperature : float, default=1.0
        Above one flattens, below one sharpens, one changes nothing.
    bias : array-like of shape (n_classes,), optional
        What to add for each class; none by default.

    Returns
    -------
    ndarray of shape (n, n_classes)
        ``softmax(log(proba) / temperature + bias)``, float64; rows sum to one.

    Raises
    ------
    ValueError
        If `proba` is no table of probabilities, `temperature` not positive, or `bias`
        not finite or of another length.

    Examples
    --------
    >>> from hmsklearn.calibration import scale_temperature
    >>> scale_temperature([[0.9, 0.1]], 2.0).round(3).tolist()
    [[0.75, 0.25]]
    """
    name = "scale_temperature"
    prob = check_probabilities(proba, name)
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"{name}: temperature must be positive, got {temperature!r}.")
    shift = np.zeros(prob.shape[1]) if bias is None else np.asarray(bias, float)
    if shift.shape != (prob.shape[1],) or not np.isfinite(shift).all():
        raise ValueError(
            f"{name}: bias must hold {prob.shape[1]} finite numbers, one for each "
            f"column, got {bias!r}."
        )
    return softmax(_logarithm(prob) / temperature + shift, axis=1)


def fit_checked(
    proba: np.ndarray,
    fractions: np.ndarray,
    weight: np.ndarray | None,
    *,
    bias: bool,
    l2: float,
    bounds: tuple[float, float],
    tol: float,
    max_iter: int,
    name: str,
) -> TemperatureFit:
    """Do the work of :func:`fit_temperature` on tables that have been checked.

    Parameters
    ----------
    proba, fractions : ndarray of shape (n, n_classes)
        Probabilities and vote fractions, classes in the same order.
    weight : ndarray of shape (n,) or None
        Weights of the rows, not all zero.
    bias, l2, bounds, tol, max_iter : object
        See :func:`fit_temperature`.
    name : str
        Name that starts the messages.

    Returns
    -------
    TemperatureFit
        What was found.

    Raises
    ------
    ValueError
        If a bias is asked for a class without votes.
    """
    share = np.ones(len(proba)) if weight is None else weight
    share = share / share.sum()
    unused = np.flatnonzero(share @ fractions == 0)
    if bias and l2 == 0 and unused.size:
        raise ValueError(
            f"{name}: nobody voted for the classes in columns {unused.tolist()}, so "
            "their best bias is minus infinity. Set l2 above zero, or bias=False."
        )
    found = solve(
        _logarithm(proba),
        fractions,
        share,
        with_bias=bias,
        l2=l2,
        bounds=(1.0 / bounds[1], 1.0 / bounds[0]),
        tol=tol,
        max_iter=max_iter,
    )
    if found.grad_norm > tol:
        warnings.warn(
            f"{name}: after {found.n_iter} Newton steps the gradient is "
            f"{found.grad_norm:.2g}, tol={tol:g} asks for less. Raise max_iter or tol.",
            ConvergenceWarning,
            stacklevel=3,
        )
    temperature = 1.0 / found.slope

    def kl(scaled: np.ndarray) -> float:
        return float(kl_divergence(fractions, scaled, sample_weight=weight))

    return TemperatureFit(
        temperature=temperature,
        bias=found.bias,
        kl_before=kl(scale_temperature(proba)),
        kl_after=kl(scale_temperature(proba, temperature, found.bias)),
        grad_norm=found.grad_norm,
        n_iter=found.n_iter,
    )


def check_scaling(
    bias: Any, l2: Any, bounds: Any, tol: Any, max_iter: Any, name: str
) -> None:
    """Check the parameters of the fit.

    Parameters
    ----------
    bias, l2, bounds, tol, max_iter : object
        See :func:`fit_temperature`.
    name : str
        Name that starts the error messages.

    Raises
    ------
    ValueError
        If one of them is out of range.
    """
    if not isinstance(bias, (bool, np.bool_)):
        raise ValueError(f"{name}: bias must be True or False, got {bias!r}.")
    if not (np.isfinite(l2) and l2 >= 0):
        raise ValueError(f"{name}: l2 must not be negative, got {l2!r}.")
    if len(bounds) != 2 or not 0 < bounds[0] <= 1 <= bounds[1] < np.inf:
        raise ValueError(
            f"{name}: bounds of the temperature must be positive and enclose 1, got "
            f"{bounds!r}."
        )
    if not tol > 0:
        raise ValueError(f"{name}: tol must be positive, got {tol!r}.")
    if not max_iter >= 1:
        raise ValueError(f"{name}: max_iter must be at least 1, got {max_iter!r}.")


def _logarithm(prob: np.ndarray) -> np.ndarray:
    return np.log(np.clip(prob, EPSILON, 1.0 - EPSILON))
