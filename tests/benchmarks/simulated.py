"""The data that all benchmarks run on: simulated EEG of the competition's shape."""

import numpy as np

__all__ = ["eeg"]


def eeg(n_windows=8, n_channels=18, n_times=10_000, seed=0):
    """Simulate windows of pink noise with slow drifts, in microvolt, float32."""
    rng = np.random.default_rng(seed)
    spectrum = rng.normal(size=(n_windows, n_channels, n_times // 2 + 1, 2)) @ [1, 1j]
    spectrum /= np.maximum(np.arange(n_times // 2 + 1), 4.0)
    signal = np.fft.irfft(spectrum, n_times)
    signal *= 40 / signal.std()
    signal += rng.normal(0, 20, size=(n_windows, n_channels, 1))
    return signal.astype(np.float32)
