"""Mel spectrograms in decibel, against librosa, torchaudio and torch.stft."""

from functools import partial

import librosa
import numpy as np
import torch
import torchaudio
from harness import Contender, Job
from simulated import eeg

from hmsklearn.signal import mel_filterbank
from hmsklearn.spectrogram import MelSpectrogramizer

N_WINDOWS = 16
WIDTH = 256
DECIBELS = 5e-3


def agree(ours, theirs, limit=DECIBELS):
    """In decibel, in every cell."""
    n = min(len(ours), len(theirs))
    assert np.abs(np.asarray(ours[:n]) - np.asarray(theirs[:n])).max() <= limit


def by_librosa(X):
    """Channel by channel, as the public notebooks do."""
    out = np.empty((*X.shape[:2], 128, WIDTH), dtype=np.float32)
    for where in np.ndindex(X.shape[:2]):
        power = librosa.feature.melspectrogram(
            y=X[where],
            sr=200,
            hop_length=39,
            n_fft=1024,
            n_mels=128,
            fmin=0,
            fmax=20,
            win_length=128,
        )
        out[where] = librosa.power_to_db(power, ref=np.max)[:, :WIDTH]
    return out


def decibels(power):
    """Decibel relative to each image's maximum, in torch."""
    power = power.clamp(min=1e-10)
    loudest = power.amax(dim=(-2, -1), keepdim=True)
    return (10 * (power / loudest).log10()).clamp(min=-80)[..., :WIDTH]


def with_torchaudio(n_windows):
    mel = torchaudio.transforms.MelSpectrogram(
        200,
        n_fft=1024,
        win_length=128,
        hop_length=39,
        n_mels=128,
        f_min=0.0,
        f_max=20.0,
        mel_scale="slaney",
        norm="slaney",
        pad_mode="constant",
    )

    def run(X):
        X = torch.from_numpy(X)
        if n_windows > 1:
            return decibels(mel(X)).numpy()
        return torch.stack([decibels(mel(window)) for window in X]).numpy()

    return run


def with_torch_stft():
    bank = torch.from_numpy(mel_filterbank(200.0, 1024)[:, :104].astype(np.float32))
    hann = torch.hann_window(128)

    def run(X):
        out = []
        for window in torch.from_numpy(X):
            spectrum = torch.stft(
                window, 1024, 39, 128, hann, pad_mode="constant", return_complex=True
            )
            out.append(decibels(bank @ spectrum[:, :104].abs().square()))
        return torch.stack(out).numpy()

    return run


def tensors(X):
    mel = MelSpectrogramizer(offset=0.0, scale=1.0).fit(X)
    return lambda: torch.cat([mel.transform(window[None]) for window in X]).numpy()


def jobs():
    X = eeg(N_WINDOWS)
    mel = MelSpectrogramizer(offset=0.0, scale=1.0).fit(X)
    chains = {"LL": range(4), "RL": range(4, 8), "LP": range(8, 12)}
    chains = {name: list(members) for name, members in chains.items()}
    chains["RP"] = list(range(12, 16))
    means = MelSpectrogramizer(offset=0.0, scale=1.0, groups=chains).fit(X)

    def by_librosa_means(X):
        images = by_librosa(X)
        return np.stack([images[:, m].mean(axis=1) for m in chains.values()], axis=1)

    return [
        Job(
            "mel decibels 18 -> 18x128x256",
            Contender("MelSpectrogramizer", partial(mel.transform, X), N_WINDOWS),
            [
                Contender(
                    "librosa, per channel",
                    partial(by_librosa, X[:1]),
                    1,
                    agrees=agree,
                    target=15.0,
                    target_2=18.0,
                ),
                Contender(
                    "torchaudio, per window",
                    partial(with_torchaudio(1), X[:2]),
                    2,
                    agrees=agree,
                    target=5.0,
                    target_2=5.0,
                ),
                Contender(
                    "torchaudio, 8 windows at once",
                    partial(with_torchaudio(8), X[:8]),
                    8,
                    agrees=agree,
                ),
                Contender(
                    "torch.stft, slice, matmul, per window",
                    partial(with_torch_stft(), X[:2]),
                    2,
                    agrees=agree,
                ),
                Contender(
                    "MelSpectrogramizer on tensors",
                    tensors(torch.from_numpy(X[:2])),
                    2,
                    agrees=agree,
                ),
                Contender(
                    "writing the output",
                    lambda: np.ones((N_WINDOWS, 18, 128, WIDTH), "f4"),
                    N_WINDOWS,
                ),
            ],
        ),
        Job(
            "mel decibels, mean of 4 chains",
            Contender(
                "MelSpectrogramizer(groups)", partial(means.transform, X), N_WINDOWS
            ),
            [
                Contender(
                    "librosa, per channel, then mean",
                    partial(by_librosa_means, X[:1]),
                    1,
                    agrees=agree,
                    target=15.0,
                    target_2=18.0,
                ),
            ],
        ),
    ]
