import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from hmsklearn.neural import TimmClassifier, WaveformClassifier

# The small nets that the tests share.
sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))


class Simulated:
    """Waves of one frequency per pattern in noise, read by a few experts each."""

    def __init__(self, n=96, n_channels=3, n_times=128, seed=0):
        rng = np.random.default_rng(seed)
        self.label = np.arange(n) % 6
        self.groups = np.arange(n) // 4  # patients of four windows
        hertz = np.array([3, 6, 10, 15, 21, 28])[self.label]
        t = np.arange(n_times) / 100
        phase = rng.uniform(0, 2 * np.pi, (n, n_channels, 1))
        X = 20 * np.sin(2 * np.pi * hertz[:, None, None] * t + phase)
        self.X = (X + 10 * rng.standard_normal(X.shape)).astype(np.float32)
        # 3 to 12 votes, one in ten of them for another pattern.
        total = rng.integers(3, 13, n)
        chance = np.full((n, 6), 0.02)
        chance[np.arange(n), self.label] = 0.9
        self.votes = np.stack(
            [rng.multinomial(k, p) for k, p in zip(total, chance, strict=True)]
        )
        self.fractions = self.votes / self.votes.sum(axis=1, keepdims=True)

    @property
    def images(self):
        """Spectra of the signals as images of one plane a channel."""
        spectra = np.abs(np.fft.rfft(self.X, axis=2))[:, :, :64]
        squares = spectra.reshape(*spectra.shape[:2], 8, 8)
        return np.log1p(squares.repeat(4, axis=2).repeat(4, axis=3)).astype(np.float32)

    @property
    def baseline_kl(self):
        """KL of predicting the mean of all votes for everyone."""
        mean = self.fractions.mean(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = self.fractions * np.log(self.fractions / mean)
        return np.nansum(terms, axis=1).mean()


@pytest.fixture(autouse=True)
def ctrl_c_is_heard():
    """Have Ctrl-C mean what it means at a terminal: jobs of a shell may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def data():
    return Simulated()


@pytest.fixture(scope="session")
def more_data():
    """Other windows of other patients."""
    return Simulated(seed=1)


SMALL_NET = {"width": 8, "kernels": (3, 9), "n_blocks": 3, "gru_hidden": 0}


@pytest.fixture
def waveform():
    """Make a classifier of signals that trains in a fraction of a second."""

    def make(**params):
        settings = {
            "architecture_params": SMALL_NET,
            "max_epochs": 2,
            "batch_size": 16,
            "lr": 1e-2,
            "device": "cpu",
            "random_state": 0,
        }
        return WaveformClassifier(**{**settings, **params})

    return make


@pytest.fixture
def timm_classifier():
    """Make a classifier of images that trains in a fraction of a second."""

    def make(backbone="test_efficientnet", **params):
        settings = {
            "max_epochs": 2,
            "batch_size": 16,
            "lr": 5e-3,
            "device": "cpu",
            "random_state": 0,
        }
        return TimmClassifier(backbone, **{**settings, **params})

    return make


@pytest.fixture(params=["waveform", "timm"])
def each(request, data, waveform, timm_classifier):
    """Both classifiers in turn, each with its windows."""
    if request.param == "waveform":
        return waveform, data.X
    return timm_classifier, data.images
