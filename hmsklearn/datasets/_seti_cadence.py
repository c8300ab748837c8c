"""One simulated cadence: receiver, interference and, in positives, a needle."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hmsklearn.datasets._seti_layout import CADENCE_SHAPE
from hmsklearn.datasets._seti_signals import draw_blob, draw_interference, draw_needle

__all__ = ["simulate_cadence"]

_N_OBSERVATIONS, _, _N_FREQS = CADENCE_SHAPE


def simulate_cadence(
    rng: np.random.Generator,
    *,
    positive: bool,
    snr: tuple[float, float],
    shapes: Sequence[str],
) -> np.ndarray:
    """Simulate six observations of five minutes.

    Parameters
    ----------
    rng : Generator
        Source of randomness.
    positive : bool
        Whether there is a needle.
    snr : (float, float)
        Bounds of its signal-to-noise ratio, drawn evenly on a logarithmic scale: its
        root sum of squares over the standard deviation of the noise.
    shapes : sequence of str
        Shapes to choose from.

    Returns
    -------
    ndarray of shape (6, 273, 256), float16
        Each observation with mean 0 and standard deviation 1.

    Notes
    -----
    Power of noise, averaged over `k` looks, has a gamma distribution of shape `k`: a
    chi-square one with `2 k` degrees of freedom, divided by its mean.
    """
    n_looks = np.exp(rng.uniform(np.log(8), np.log(60)))
    spread = np.float32(1 / np.sqrt(n_looks))
    power = np.broadcast_to(_band_pass(rng), CADENCE_SHAPE).copy()
    for _ in range(rng.poisson(1.2)):
        power += spread * draw_interference(rng)
    for _ in range(rng.poisson(0.5)):
        power += spread * draw_blob(rng)
    if positive:
        ratio = np.exp(rng.uniform(np.log(snr[0]), np.log(snr[1])))
        shape = shapes[int(rng.integers(len(shapes)))]
        power += np.float32(ratio) * spread * draw_needle(rng, shape)
    # A signal's power fluctuates as the receiver's own does.
    power *= rng.standard_gamma(n_looks, CADENCE_SHAPE, dtype=np.float32)
    power -= power.mean(axis=(1, 2), keepdims=True)
    power /= power.std(axis=(1, 2), keepdims=True)
    return power.astype(np.float16)


def _band_pass(rng: np.random.Generator) -> np.ndarray:
    """Draw how well the receiver hears each frequency, (6, 1, 256).

    Slope and curvature belong to the receiver; from one observation to the next they
    and the overall gain change a little.
    """
    place = np.linspace(-1, 1, _N_FREQS)
    slope = rng.normal(0, 0.12) + rng.normal(0, 0.03, (_N_OBSERVATIONS, 1, 1))
    curve = rng.normal(0, 0.1) + rng.normal(0, 0.02, (_N_OBSERVATIONS, 1, 1))
    period, phase = rng.uniform(0.4, 1.2), rng.uniform(0, 2 * np.pi)
    ripple = rng.uniform(0, 0.05) * np.sin(2 * np.pi * place / period + phase)
    heard = 1 + slope * place + curve * (place**2 - 1 / 3) + ripple
    gain = np.exp(rng.normal(0, 0.1, (_N_OBSERVATIONS, 1, 1)))
    return (gain * np.maximum(heard, 0.2)).astype(np.float32)
