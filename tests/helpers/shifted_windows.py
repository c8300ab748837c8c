"""Signals of six rhythms from two sources, and a net that trains on them in seconds."""

import numpy as np

from hmsklearn.neural import WaveformClassifier

SMALL = {"width": 8, "kernels": (3, 7), "n_blocks": 2, "gru_hidden": 0}


def rhythms(
    random_state=0,
    n_windows=120,
    *,
    gain=1.0,
    offset=0.0,
    noise=0.3,
    doubt=0.15,
    chances=None,
    n_votes=12,
):
    """Windows whose frequency is the class, votes on them, and true distributions.

    `gain` and `offset` are what another amplifier does, `noise` what another room does,
    `doubt` is the share of votes that fall anywhere, `chances` how often classes occur.
    """
    rng = np.random.default_rng(random_state)
    label = np.arange(n_windows) % 6
    if chances is not None:
        label = np.sort(rng.choice(6, size=n_windows, p=chances))
    time = np.arange(64) / 64
    phase = rng.uniform(size=(n_windows, 2, 1))
    waves = np.sin(2 * np.pi * ((2 + 3 * label[:, None, None]) * time + phase))
    X = gain * (waves + noise * rng.normal(size=waves.shape)) + offset
    truth = doubt / 6 + (1 - doubt) * np.eye(6)[label]
    y = np.array([rng.multinomial(n_votes, p) for p in truth])
    return X.astype(np.float32), y, truth


def small_net(**params):
    """A convolutional net of two blocks."""
    defaults = {
        **{"architecture_params": SMALL, "max_epochs": 8, "batch_size": 16},
        **{"lr": 0.01, "random_state": 0, "device": "cpu"},
    }
    return WaveformClassifier(**{**defaults, **params})
