"""Short-time Fourier power, against SciPy and torch.stft."""

from functools import partial

import numpy as np
import scipy.signal
import torch
from harness import Contender, Job
from simulated import eeg

from hmsklearn.spectrogram import STFTSpectrogramizer

N_WINDOWS = 16
FEW = 2
# Of the largest amplitude of an image, both sides being computed in float32.
LIMIT = 3e-6
# Cells that are equal to 1e-4; the rest is near a zero of the spectrum.
SHARE = 0.999


def agree(ours, theirs, back=np.sqrt):
    """Amplitudes to a share of the largest, most values to 1e-4.

    `back` gives the amplitudes of values. Of power, a share of the largest would leave
    most cells unchecked.
    """
    n = min(len(ours), len(theirs))
    ours, theirs = ours[:n].astype(np.float64), theirs[:n].astype(np.float64)
    close = np.abs(ours - theirs) <= 1e-4 * np.abs(theirs)
    ours, theirs = back(ours), back(theirs)
    largest = theirs.max(axis=(-2, -1), keepdims=True)
    assert close.mean() >= SHARE
    assert (np.abs(ours - theirs) <= LIMIT * largest).all()


def agree_of_magnitudes(ours, theirs):
    agree(ours, theirs, back=np.asarray)


def agree_of_logarithms(ours, theirs):
    agree(ours, theirs, back=lambda values: np.sqrt(np.expm1(values)))


def by_scipy(X, rows, after=None, **kwargs):
    """One window after the other, the rows that are kept."""
    out = []
    for window in X:
        _, _, power = scipy.signal.spectrogram(window, 200.0, **kwargs)
        out.append(power[:, rows] if after is None else after(power[:, rows]))
    return np.stack(out)


def by_torch(X, rows, *, n_fft, win_length, hop_length, power=2, **kwargs):
    hann = torch.hann_window(win_length)
    out = []
    for window in torch.from_numpy(X):
        spectrum = torch.stft(
            window, n_fft, hop_length, win_length, hann, return_complex=True, **kwargs
        )
        magnitude = spectrum[:, rows].abs()
        out.append(magnitude if power == 1 else magnitude.square())
    return torch.stack(out).numpy()


def job(name, step, X, *neighbours):
    step.fit(X)
    ours = Contender("STFTSpectrogramizer", partial(step.transform, X), len(X))
    return Job(name, ours, list(neighbours))


def against_scipy(X, agrees=agree, target=None, **kwargs):
    run = partial(by_scipy, X[:FEW], **kwargs)
    name = "scipy.signal.spectrogram"
    return Contender(name, run, FEW, agrees=agrees, target=target)


def against_torch(X, agrees=agree, target=None, **kwargs):
    run = partial(by_torch, X[:FEW], **kwargs)
    return Contender("torch.stft", run, FEW, agrees=agrees, target=target)


def jobs():
    X = eeg(N_WINDOWS)
    low = slice(0, 103)
    return [
        job(
            "spectrogram, nfft 1024, 0-20 Hz",
            STFTSpectrogramizer(
                convention="scipy", win_length=128, noverlap=89, n_fft=1024, fmax=20.0
            ),
            X,
            against_scipy(X, rows=low, nperseg=128, noverlap=89, nfft=1024, target=4.0),
            # Another window and no detrending: the same amount of work.
            against_torch(
                X, rows=low, n_fft=1024, win_length=128, hop_length=39, agrees=None
            ),
        ),
        job(
            "spectrogram, nperseg 256, 0-20 Hz",
            STFTSpectrogramizer(
                convention="scipy", win_length=256, noverlap=217, n_fft=1024, fmax=20.0
            ),
            X,
            against_scipy(
                X, rows=low, nperseg=256, noverlap=217, nfft=1024, target=4.0
            ),
        ),
        job(
            "spectrogram, nfft 1024, all bins",
            STFTSpectrogramizer(
                convention="scipy", win_length=128, noverlap=89, n_fft=1024
            ),
            X[:4],
            against_scipy(
                X, rows=slice(None), nperseg=128, noverlap=89, nfft=1024, target=1.0
            ),
        ),
        job(
            "torch.stft, 512/128/50, 61 bins",
            STFTSpectrogramizer(
                n_fft=512, win_length=128, hop_length=50, n_bins=61, exponent=1
            ),
            X,
            against_torch(
                X,
                rows=slice(0, 61),
                n_fft=512,
                win_length=128,
                hop_length=50,
                power=1,
                agrees=agree_of_magnitudes,
                target=1.0,
            ),
        ),
        job(
            "7th place, 27 bins x 513",
            STFTSpectrogramizer(
                convention="cusignal",
                win_length=270,
                noverlap=251,
                fmin=0.5,
                fmax=20.0,
                output="log1p",
            ),
            X,
            against_scipy(
                X,
                rows=slice(1, 28),
                nperseg=270,
                noverlap=251,
                after=np.log1p,
                agrees=agree_of_logarithms,
                target=1.0,
            ),
        ),
    ]
