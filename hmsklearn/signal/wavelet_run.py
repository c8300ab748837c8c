"""The folded wavelet transform itself, for arrays and for tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import scipy.fft
import torch

from hmsklearn.signal.arrays import Array, is_tensor
from hmsklearn.signal.wavelet_fold import FoldPlan

__all__ = ["folded_power", "folded_transform"]

# So many coefficients at a time, in bytes: they stay in the cache from the folding to
# the power.
_CHUNK_BYTES = 2**20


def folded_power(
    X: Array,
    plan: FoldPlan,
    *,
    demean: bool = True,
    out: np.ndarray | None = None,
    finish: Callable[[np.ndarray], object] | None = None,
) -> Array:
    """Compute the power of the wavelet transform.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_channels, n_times)
        Signals, float32 or float64.
    plan : FoldPlan
        What to compute, for that length and type.
    demean : bool, default=True
        Whether each channel's mean is subtracted first.
    out : ndarray of shape (..., n_channels, n_rows, n_columns), optional
        Where to write. For arrays only.
    finish : callable, optional
        Is given each window's result to change it in place, while it is in the cache.
        For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new array of the type of `X`.

    Examples
    --------
    >>> from hmsklearn.signal.wavelets import morlet_plan
    >>> plan = morlet_plan(1000, "float64", [5.0, 10.0], n_columns=100)
    >>> folded_power(np.ones((3, 2, 1000)), plan).shape
    (3, 2, 2, 100)
    """
    if is_tensor(X):
        return _tensor_power(X, plan, demean)
    if out is None:
        out = np.empty((*X.shape[:-1], plan.n_rows, plan.n_columns), dtype=X.dtype)
    fold = _Fold(plan, X.shape[-2])
    for where in np.ndindex(X.shape[:-2]):
        image = out[where]
        fold.load(X[where], demean)
        if plan.rows:
            _mix(fold, image)
        else:
            for chosen, coefficients in fold.chunks():
                _power(coefficients, image[:, chosen])
        if finish is not None:
            finish(image)
    return out


def folded_transform(
    X: Array, plan: FoldPlan, *, demean: bool = True, out: np.ndarray | None = None
) -> Array:
    """Compute the complex coefficients of the wavelet transform.

    Parameters
    ----------
    X : ndarray or Tensor of shape (..., n_channels, n_times)
        Signals, float32 or float64.
    plan : FoldPlan
        What to compute, for that length and type.
    demean : bool, default=True
        Whether each channel's mean is subtracted first.
    out : ndarray of shape (..., n_channels, n_wavelets, n_columns), optional
        Where to write, complex. For arrays only.

    Returns
    -------
    ndarray or Tensor
        `out`, or a new complex array of the precision of `X`.

    Examples
    --------
    >>> from hmsklearn.signal.wavelets import morlet_plan
    >>> plan = morlet_plan(1000, "float64", [5.0, 10.0], n_columns=100)
    >>> folded_transform(np.ones((3, 2, 1000)), plan).dtype
    dtype('complex128')
    """
    if is_tensor(X):
        real, imaginary = plan.phases.like(X)
        spectrum = _tensor_spectrum(X, plan, demean)
        return _tensor_coefficients(spectrum, plan) * torch.complex(real, imaginary)
    phases = plan.phases.value[0] + 1j * plan.phases.value[1]
    if out is None:
        kind = np.result_type(X.dtype, np.complex64)
        out = np.empty((*X.shape[:-1], *phases.shape), dtype=kind)
    fold = _Fold(plan, X.shape[-2])
    for where in np.ndindex(X.shape[:-2]):
        fold.load(X[where], demean)
        for chosen, coefficients in fold.chunks():
            np.multiply(
                coefficients,
                phases[chosen],
                out=out[where][:, chosen],
                casting="same_kind",
            )
    return out


def _power(coefficients: np.ndarray, out: np.ndarray) -> None:
    """Squared magnitude; may spoil the coefficients."""
    # Rounded before squaring: the strided addition is faster on smaller numbers.
    numbers = coefficients.astype(np.result_type(out.dtype, np.complex64), copy=False)
    parts = numbers.view(out.dtype)
    np.square(parts, out=parts)
    np.add(parts[..., ::2], parts[..., 1::2], out=out)


def _mix(fold: _Fold, out: np.ndarray) -> None:
    """Geometric means of powers, as means of logarithms."""
    plan = fold.plan
    exponents = plan.exponents.like(out)[:, None]
    out[...] = 0.0
    power = np.empty((out.shape[0], fold.n_together, out.shape[-1]), dtype=out.dtype)
    with np.errstate(divide="ignore"):  # log(0) = -inf, and exp(-inf) = 0
        for chosen, coefficients in fold.chunks():
            part = power[:, : coefficients.shape[1]]
            _power(coefficients, part)
            np.log(part, out=part)
            part *= exponents[chosen]
            for place, row in enumerate(plan.rows[chosen]):
                out[:, row] += part[:, place]
    np.exp(out, out=out)


class _Fold:
    """Coefficients of one window at a time, in memory that is used again."""

    def __init__(self, plan: FoldPlan, n_channels: int) -> None:
        self.plan = plan
        # In float64 whatever the data, which costs a fifth more: rounded in float32, a
        # strong drift shows in the weak rows, and a row's peaks in its silent cells.
        self._signal = np.zeros((n_channels, plan.length))
        self._spectrum = np.empty((n_channels, plan.n_bins), dtype=np.complex128)
        size = n_channels * plan.n_points * self._spectrum.itemsize
        self.n_together = max(1, min(len(plan.supports), _CHUNK_BYTES // max(1, size)))
        self._coefficients = np.empty(
            (n_channels, self.n_together, plan.n_points), dtype=np.complex128
        )
        if plan.margin:
            self._outside, self._mirrored = _mirrors(plan)
        # Real weights of complex numbers, as pairs: half the work of complex ones.
        self._weights = np.repeat(plan.weights.value, 2)

    def load(self, window: np.ndarray, demean: bool) -> None:
        """Take a window and compute its spectrum."""
        plan, n_times = self.plan, self.plan.n_times
        signal = self._signal[:, :n_times]
        if demean:
            # First sample first: a constant channel is zero then, not nearly zero.
            np.subtract(window, window[:, :1], out=signal, dtype=np.float64)
            signal -= signal.mean(axis=1, keepdims=True)
        else:
            signal[...] = window
        if plan.margin:
            self._signal[:, self._outside] = signal[:, self._mirrored]
        spectrum = scipy.fft.rfft(self._signal, axis=1)
        start = 0
        for low, high, mirrored in plan.runs:
            piece = self._spectrum[:, start : start + high - low]
            if mirrored:
                np.conjugate(spectrum[:, low:high][:, ::-1], out=piece)
            else:
                piece[...] = spectrum[:, low:high]
            start += high - low

    def chunks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield, for some wavelets after the other, their coefficients."""
        plan = self.plan
        for start in range(0, len(plan.supports), self.n_together):
            chosen = slice(start, min(start + self.n_together, len(plan.supports)))
            coefficients = self._coefficients[:, : chosen.stop - start]
            for place, index in enumerate(range(start, chosen.stop)):
                self._fold(index, coefficients[:, place])
            done = scipy.fft.ifft(
                coefficients, axis=-1, norm="forward", overwrite_x=True
            )
            yield chosen, done[..., : plan.n_columns]

    def _fold(self, index: int, out: np.ndarray) -> None:
        support = self.plan.supports[index]
        size = 2 * (support.stop - support.start)
        weights = self._weights[2 * support.offset :][:size]
        # Complex numbers as pairs of real ones.
        pairs = self._spectrum.view(weights.dtype)[:, 2 * support.start :][:, :size]
        sums = out.view(weights.dtype)
        if support.blocks == 1:
            np.multiply(pairs, weights, out=sums[:, :size])
            sums[:, size:] = 0.0
        else:
            shape = (support.blocks, sums.shape[1])
            # A slice of rows is split without a copy, as its rows are contiguous.
            pairs = pairs.reshape(len(pairs), *shape)
            np.einsum("crn,rn->cn", pairs, weights.reshape(shape), out=sums)


def _mirrors(plan: FoldPlan) -> tuple[np.ndarray, np.ndarray]:
    """Find the places beyond both ends, and the samples that are mirrored there."""
    after = np.arange(plan.n_times, plan.n_times + plan.margin)
    places = np.concatenate([after, np.arange(-plan.margin, 0)])
    period = max(1, 2 * (plan.n_times - 1))
    samples = places % period
    return places % plan.length, np.minimum(samples, period - samples)


def _tensor_spectrum(X: torch.Tensor, plan: FoldPlan, demean: bool) -> torch.Tensor:
    if demean:
        X = X - X[..., :1]
        X = X - X.mean(dim=-1, keepdim=True)
    rest = plan.length - plan.n_times - 2 * plan.margin
    if plan.margin:
        X = torch.cat([X, *_tensor_mirrors(X, plan.margin, rest)], dim=-1)
    elif rest:
        X = torch.nn.functional.pad(X, (0, rest))
    spectrum = torch.fft.rfft(X)
    pieces = [
        spectrum[..., low:high].flip(-1).conj() if mirrored else spectrum[..., low:high]
        for low, high, mirrored in plan.runs
    ]
    return torch.cat(pieces, dim=-1)


def _tensor_mirrors(
    X: torch.Tensor, margin: int, rest: int
) -> tuple[torch.Tensor, torch.Tensor]:
    period = torch.cat([X, X[..., 1:-1].flip(-1)], dim=-1)
    size = period.shape[-1]
    mirrors = period.repeat(*[1] * (X.ndim - 1), margin // size + 2)
    after = mirrors[..., X.shape[-1] : X.shape[-1] + margin]
    before = mirrors[..., -margin % size :][..., :margin]
    return torch.nn.functional.pad(after, (0, rest)), before


def _tensor_coefficients(
    spectrum: torch.Tensor, plan: FoldPlan, chosen: slice = slice(None)
) -> torch.Tensor:
    weights = plan.weights.like(spectrum)
    folded = []
    for support in plan.supports[chosen]:
        size = support.stop - support.start
        product = (
            spectrum[..., support.start : support.stop]
            * weights[support.offset : support.offset + size]
        )
        if support.blocks > 1:
            shape = (support.blocks, plan.n_points)
            product = product.unflatten(-1, shape).sum(dim=-2)
        elif size < plan.n_points:
            product = torch.nn.functional.pad(product, (0, plan.n_points - size))
        folded.append(product)
    coefficients = torch.fft.ifft(torch.stack(folded, dim=-2), norm="forward")
    return coefficients[..., : plan.n_columns]


def _tensor_power(X: torch.Tensor, plan: FoldPlan, demean: bool) -> torch.Tensor:
    spectrum = _tensor_spectrum(X, plan, demean)
    if not plan.rows:
        return _tensor_square(_tensor_coefficients(spectrum, plan))
    rows = np.array(plan.rows)
    exponents = plan.exponents.like(X)
    tiny = torch.finfo(X.dtype).tiny
    images = []
    for row in range(plan.n_rows):
        chosen = slice(*(int(end) for end in np.searchsorted(rows, [row, row + 1])))
        power = _tensor_square(_tensor_coefficients(spectrum, plan, chosen))
        # The logarithm of zero has no gradient: stop short of it, and put back zero.
        logs = power.clamp(min=tiny).log() * exponents[chosen, None]
        silent = (power <= tiny).any(dim=-2)
        images.append(torch.where(silent, 0.0, logs.sum(dim=-2).exp()))
    return torch.stack(images, dim=-2)


def _tensor_square(coefficients: torch.Tensor) -> torch.Tensor:
    return coefficients.real.square() + coefficients.imag.square()
