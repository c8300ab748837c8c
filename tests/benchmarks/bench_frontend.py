"""What runs in front of a net on batches of tensors, against torchaudio's chain."""

from functools import partial

import numpy as np
import torch
import torchaudio
from harness import Contender, Job
from scipy.signal import butter
from simulated import eeg
from sklearn.pipeline import make_pipeline
from torchaudio.functional import filtfilt, lfilter

from hmsklearn.montage import get_montage
from hmsklearn.neural import Frontend
from hmsklearn.preprocessing import ButterworthFilter, MontageTransformer
from hmsklearn.spectrogram import MelSpectrogramizer

BATCH = 16
FEW = 4
WIDTH = 256
DECIBELS = 5e-3
BAND = (0.5, 20.0)


def agree(ours, theirs, inside=slice(None)):
    """In decibel, in every cell down to 80 dB below the image's loudest."""
    n = min(len(ours), len(theirs))
    ours, theirs = ours[:n, ..., inside], theirs[:n, ..., inside]
    floor = theirs.amax(dim=(-2, -1), keepdim=True) - 80
    assert (ours.maximum(floor) - theirs.maximum(floor)).abs().max() <= DECIBELS


#: 12 s from the ends, where the conventions of padding have no effect.
agree_inside = partial(agree, inside=slice(62, -62))


def torchaudio_chain(filtered=None):
    """Matrix product, filter, MelSpectrogram and decibels, as its users chain them."""
    matrix = torch.tensor(get_montage("double_banana").matrix(), dtype=torch.float32)
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
    decibels = torchaudio.transforms.AmplitudeToDB("power", top_db=None)

    def run(x):
        with torch.no_grad():
            x = matrix @ x
            if filtered is not None:
                x = filtered(x)
            return decibels(mel(x))[..., :WIDTH]

    return run


def zero_phase():
    b, a = (torch.tensor(c) for c in butter(4, BAND, "bandpass", fs=200))
    # In float32 the coefficients of eighth order are unstable.
    return lambda x: filtfilt(x.double(), a, b, clamp=False).float()


def causal():
    b, a = (torch.tensor(c) for c in butter(4, BAND, "bandpass", fs=200))
    return lambda x: lfilter(x.double(), a, b, clamp=False).float()


def ours(x, *steps):
    # With decibels of the power itself, as torchaudio gives them.
    mel = MelSpectrogramizer(ref=1.0, top_db=None, offset=0.0, scale=1.0)
    frontend = Frontend(make_pipeline(*steps, mel), tuple(x.shape[1:]))

    def run():
        with torch.no_grad():
            return frontend(x)

    return Contender("Frontend", run, len(x))


def jobs():
    X = eeg(BATCH, n_channels=20)
    x = torch.from_numpy(X - X.mean(axis=-1, keepdims=True).astype(np.float32))
    montage = MontageTransformer()
    return [
        Job(
            "batch: montage, mel",
            ours(x, montage),
            [
                Contender(
                    "torchaudio MelSpectrogram",
                    partial(torchaudio_chain(), x[:FEW]),
                    FEW,
                    agrees=agree,
                    target=5.0,
                    target_2=5.0,
                )
            ],
        ),
        Job(
            "batch: montage, filter, mel",
            ours(x, montage, ButterworthFilter(*BAND)),
            [
                Contender(
                    "torchaudio, filtfilt in float64",
                    partial(torchaudio_chain(zero_phase()), x[:FEW]),
                    FEW,
                    agrees=agree_inside,
                    target=5.0,
                    target_2=5.0,
                )
            ],
        ),
        Job(
            "batch: montage, causal, mel",
            ours(x, montage, ButterworthFilter(*BAND, phase="causal")),
            [
                Contender(
                    "torchaudio, lfilter in float64",
                    partial(torchaudio_chain(causal()), x[:FEW]),
                    FEW,
                    agrees=agree,
                    target=5.0,
                    target_2=5.0,
                )
            ],
        ),
    ]
