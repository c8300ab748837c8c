"""Electrodes to derivations, against fancy indexing, MNE and a copy of the data."""

import importlib.util

import numpy as np
from harness import Contender, Job
from simulated import eeg

from hmsklearn.montage import CH_NAMES, get_montage
from hmsklearn.preprocessing import MontageTransformer
from hmsklearn.signal import derive, pair_differences

# Results too large to find room in memory that was given back, as in real use.
N_WINDOWS = 64
FEW = 8


def same(ours, theirs):
    np.testing.assert_array_equal(ours, theirs)


def close(ours, theirs):
    n = min(len(ours), len(theirs))
    np.testing.assert_allclose(ours[:n], theirs[:n], atol=1e-3)


def with_mne(X, montage):
    """MNE's way, on epochs that are there already; it needs float64 and volts."""
    import mne

    info = mne.create_info(list(CH_NAMES), 200.0, ["eeg"] * 19 + ["ecg"])
    epochs = mne.EpochsArray(X * 1e-6, info, verbose="error")
    anodes, cathodes = zip(*montage.pairs, strict=True)

    def run():
        bipolar = mne.set_bipolar_reference(
            epochs, list(anodes), list(cathodes), verbose="error"
        )
        return bipolar.get_data(picks=list(montage.names), copy=False) * 1e6

    return run


def jobs():
    X = np.concatenate([eeg(FEW, 20)] * (N_WINDOWS // FEW))
    montage = get_montage("double_banana")
    anodes, cathodes = montage.indices()
    step = MontageTransformer().fit(X)
    indexing = Contender(
        "X[:, anodes] - X[:, cathodes]",
        lambda: X[:, anodes] - X[:, cathodes],
        N_WINDOWS,
        agrees=same,
        target=6.0,
    )
    copy = Contender(
        "copy of 18 channels (floor)",
        lambda: X[:, :18].copy(),
        N_WINDOWS,
        target=1 / 1.1,
    )
    neighbours = [indexing, copy]
    if importlib.util.find_spec("mne"):
        mne = with_mne(X[:FEW], montage)
        neighbours.append(
            Contender("mne.set_bipolar_reference", mne, FEW, agrees=close, target=10.0)
        )
    average = get_montage("average_reference").matrix()
    return [
        Job(
            "montage 20 -> 18, function",
            Contender(
                "pair_differences",
                lambda: pair_differences(X, anodes, cathodes),
                N_WINDOWS,
            ),
            neighbours,
        ),
        Job(
            "montage 20 -> 18, transformer",
            Contender("MontageTransformer", lambda: step.transform(X), N_WINDOWS),
            neighbours,
        ),
        Job(
            "average reference 20 -> 19",
            Contender("derive", lambda: derive(X, average), N_WINDOWS),
            [
                Contender(
                    "X - X.mean(axis=1, keepdims=True)",
                    lambda: X[:, :19] - X[:, :19].mean(axis=1, keepdims=True),
                    N_WINDOWS,
                    agrees=close,
                    target=1.0,
                )
            ],
        ),
    ]
