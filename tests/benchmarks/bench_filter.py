"""Filters, against SciPy, MNE, torchaudio, an FFT and a copy of the data."""

import importlib.util

import numpy as np
import torch
from harness import Contender, Job
from scipy.signal import butter, filtfilt, sosfilt, sosfiltfilt
from simulated import eeg

from hmsklearn.preprocessing import ButterworthFilter, FIRFilter
from hmsklearn.signal import butterworth_sos, filter_causal, filter_zero_phase

# Results too large to find room in memory that was given back, as in real use.
N_WINDOWS = 64
FEW = 8
BAND = (0.5, 20.0)


def agree(ours, theirs, limit=2e-5, inside=slice(None)):
    """To a share of each channel's largest value, at the ends too by default."""
    n = min(len(ours), len(theirs))
    ours, theirs = ours[:n, ..., inside], np.asarray(theirs)[:n, ..., inside]
    peak = np.abs(theirs).max(axis=-1, keepdims=True)
    assert (np.abs(ours - theirs) <= limit * peak).all()


def inside(ours, theirs):
    """Other conventions of padding: 10 s from the ends."""
    agree(ours, theirs, limit=1e-4, inside=slice(2000, -2000))


def by_window(function, X):
    """One window after the other, as the published solutions do."""

    def run():
        out = np.empty_like(X)
        for window, result in zip(X, out, strict=True):
            result[...] = function(window)
        return out

    return run


def through_spectrum(X):
    tensor = torch.from_numpy(X)
    return torch.stack(
        [torch.fft.irfft(torch.fft.rfft(window), n=X.shape[-1]) for window in tensor]
    )


def with_torchaudio(b, a):
    from torchaudio.functional import filtfilt as run

    b, a = torch.tensor(b), torch.tensor(a)
    # Its padding is zeros, which needs a signal without offset.
    return lambda x: run(torch.from_numpy(x).double(), a, b, clamp=False).numpy()


def scipys(X, sos):
    b, a = butter(4, BAND, "bandpass", fs=200)
    return [
        Contender(
            "scipy.signal.sosfiltfilt",
            by_window(lambda x: sosfiltfilt(sos, x), X),
            N_WINDOWS,
            agrees=agree,
            target=4.0,
            target_2=6.0,
        ),
        Contender(
            "scipy.signal.filtfilt (b, a), float64",
            by_window(lambda x: filtfilt(b, a, x.astype(np.float64)), X[:FEW]),
            FEW,
            agrees=inside,
        ),
        Contender(
            "torchaudio filtfilt, float64",
            by_window(with_torchaudio(b, a), X[:1]),
            1,
            agrees=inside,
        ),
        Contender(
            "torch rfft + irfft (floor of FFT methods)",
            lambda: through_spectrum(X),
            N_WINDOWS,
        ),
        Contender("copy (floor)", X.copy, N_WINDOWS),
    ]


def mnes(X, method, target=None):
    if not importlib.util.find_spec("mne"):
        return []
    import mne

    few = X[:FEW].astype(np.float64)
    return [
        Contender(
            f"mne.filter.filter_data, {method}",
            lambda: mne.filter.filter_data(
                few, 200.0, *BAND, method=method, verbose="error"
            ),
            FEW,
            agrees=agree,
            target=target,
        )
    ]


def jobs():
    X = np.concatenate([eeg(FEW, 18)] * (N_WINDOWS // FEW))
    sos = butterworth_sos(*BAND)
    reused = np.empty_like(X)
    zero = ButterworthFilter(*BAND).fit(X)
    as_mne = ButterworthFilter(*BAND, padlen="mne").fit(X)
    causal = ButterworthFilter(*BAND, phase="causal").fit(X)
    fir = FIRFilter(*BAND).fit(X)
    double = X[:FEW].astype(np.float64)
    recursion = Contender(
        "scipy.signal.sosfilt",
        by_window(lambda x: sosfilt(sos, x.astype(np.float64)), X),
        N_WINDOWS,
        agrees=agree,
        target=2.0,
        target_2=4.0,
    )
    return [
        Job(
            "zero phase, transformer",
            Contender("ButterworthFilter", lambda: zero.transform(X), N_WINDOWS),
            scipys(X, sos),
        ),
        Job(
            "zero phase, reused output",
            Contender(
                "filter_zero_phase",
                lambda: filter_zero_phase(X, sos, out=reused),
                N_WINDOWS,
            ),
            [
                Contender(
                    "scipy.signal.sosfiltfilt",
                    by_window(lambda x: sosfiltfilt(sos, x), X),
                    N_WINDOWS,
                    agrees=agree,
                    target=4.5,
                )
            ],
        ),
        Job(
            "zero phase, float64",
            Contender("filter_zero_phase", lambda: filter_zero_phase(double, sos), FEW),
            [
                Contender(
                    "scipy.signal.sosfiltfilt",
                    by_window(lambda x: sosfiltfilt(sos, x), double),
                    FEW,
                    agrees=lambda ours, theirs: agree(ours, theirs, 1e-9),
                    target=2.0,
                )
            ],
        ),
        Job(
            "zero phase, MNE's padding",
            Contender("ButterworthFilter", lambda: as_mne.transform(X), N_WINDOWS),
            mnes(X, "iir", target=12.0),
        ),
        Job(
            "causal, transformer",
            Contender("ButterworthFilter", lambda: causal.transform(X), N_WINDOWS),
            [recursion],
        ),
        Job(
            "causal, reused output",
            Contender(
                "filter_causal", lambda: filter_causal(X, sos, out=reused), N_WINDOWS
            ),
            [recursion],
        ),
        Job(
            "FIR as MNE",
            Contender("FIRFilter", lambda: fir.transform(X), N_WINDOWS),
            mnes(X, "fir", target=4.0),
        ),
    ]
