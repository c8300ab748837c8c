"""Scalograms beside PyWavelets and MNE: 64 frequencies, 256 columns, 50 s windows."""

import importlib.util

import numpy as np
from harness import Contender, Job
from simulated import eeg

from hmsklearn.spectrogram import WaveletScalogramizer

N_WINDOWS = 8
FREQS = np.geomspace(0.5, 20.0, 64)
CYCLES = 6.0
HOP = 39


def by_pywavelets(X, together):
    """Power; all channels of a window at once, or one after the other."""
    import pywt

    # The same wavelet as the others': B = 2 makes the envelope's variance one, and its
    # energy is 1 / sqrt(2 pi B), where that of MNE's is two.
    centre = CYCLES / (2 * np.pi)
    energy = 2.0 * np.sqrt(4 * np.pi)

    def transform(x):
        name = f"cmor2.0-{centre:.12f}"
        return pywt.cwt(x, 200.0 * centre / FREQS, name, method="fft")[0]

    def run():
        out = np.empty((len(X), X.shape[1], len(FREQS), 256), dtype=np.float32)
        for window, image in zip(X, out, strict=True):
            if together:
                coefficients = np.swapaxes(transform(window), 0, 1)
            else:
                coefficients = np.stack([transform(x) for x in window])
            np.square(np.abs(coefficients[..., : 256 * HOP : HOP]), out=image)
            image *= energy
        return out

    return run


def by_mne(X):
    from mne.time_frequency import tfr_array_morlet

    def run():
        return tfr_array_morlet(
            X, 200.0, FREQS, n_cycles=CYCLES, decim=HOP, output="power", verbose="error"
        )[..., :256]

    return run


def rows_agree(tolerance):
    """Agree to a share of each row's maximum, away from the edges."""

    def agree(ours, theirs):
        interior = (..., slice(60, -60))
        ours, theirs = ours[: len(theirs)][interior], theirs[interior]
        largest = theirs.max(axis=-1, keepdims=True)
        assert (np.abs(ours - theirs) <= tolerance * largest).all()

    return agree


def jobs():
    X = eeg(N_WINDOWS)
    few = X[:1]
    step = WaveletScalogramizer(
        freqs=FREQS,
        n_cycles=CYCLES,
        scaling="mne",
        demean=False,
        output="linear",
    ).fit(X)
    neighbours = []
    if importlib.util.find_spec("pywt"):
        # It looks its wavelets up in a table, means them over a sample (3 % of the
        # power at 20 Hz) and centres them between samples.
        agrees = rows_agree(0.08)
        for name, together, target in [
            ("pywt.cwt fft, channel by channel", False, 40.0),
            ("pywt.cwt fft, all channels at once", True, None),
        ]:
            run = by_pywavelets(few, together)
            neighbours.append(Contender(name, run, 1, agrees=agrees, target=target))
    if importlib.util.find_spec("mne"):
        name = "mne tfr_array_morlet, decim"
        agrees = rows_agree(1e-3)
        neighbours.append(Contender(name, by_mne(few), 1, agrees=agrees, target=20.0))
    return [
        Job(
            "Morlet scalogram 64 x 256",
            Contender("WaveletScalogramizer", lambda: step.transform(X), N_WINDOWS),
            neighbours,
        )
    ]
