"""Four families of models on one folder, scored by patient.

    python examples/four_families.py [--root FOLDER] [--patients 200] [--epochs 10]
                                      [--jobs 1] [--out DIR]

Reads a competition folder (or simulates one), predicts every window out of fold with
mel images, with the raw signal as an image, with a 1-D net on the signal and with a
net of two views, folds split by patient. Prints the KL divergence of each beside
those of two baselines, and writes the predictions and a picture.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from hmsklearn.augmentation import LeftRightMirror
from hmsklearn.datasets import HMSReader, load_hms, make_hms
from hmsklearn.imaging import ChainMean, ViewUnion, WaveformImager
from hmsklearn.metrics import kl_divergence
from hmsklearn.model_selection import oof_predict_proba
from hmsklearn.neural import MultiViewClassifier, TimmClassifier, WaveformClassifier
from hmsklearn.plotting import KLBarDisplay
from hmsklearn.preprocessing import (
    AmplitudeScaler,
    ButterworthFilter,
    CentreCrop,
    Decimator,
    MontageTransformer,
    NaNImputer,
)
from hmsklearn.spectrogram import MelSpectrogramizer
from hmsklearn.votes import CLASSES, VOTE_COLUMNS, check_votes

START = time.perf_counter()
BASELINES = ("uniform", "class mean")
CHAINS = ("LL", "RL", "LP", "RP")


def say(text: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"[{time.perf_counter() - START:6.1f} s] {text}", flush=True)


def make_cleaning() -> Pipeline:
    """Build what all families begin with: rows of train.csv in, windows out."""
    return Pipeline(
        [
            ("read", HMSReader()),
            ("impute", NaNImputer()),
            ("montage", MontageTransformer("double_banana")),
            ("filter", ButterworthFilter(0.5, 20.0)),
            ("crop", CentreCrop(10.0)),  # what the experts rated
        ]
    )


def mel_steps() -> list[tuple[str, Any]]:
    """Make mel images of the four chains, in decibel over a fixed level."""
    mel = MelSpectrogramizer(hop_length=30, n_mels=32, ref=1.0, offset=0, scale=20)
    return [("mel", mel), ("chains", ChainMean("double_banana", CHAINS))]


def signal_steps() -> list[tuple[str, Any]]:
    """Lower the rate to 40 Hz, and give the signal in units of 32 microvolt."""
    return [
        ("decimate", Decimator(5)),
        ("scale", AmplitudeScaler(clip=1024.0, scale=32.0)),
    ]


def make_families(max_epochs: int = 10, random_state: int = 0) -> dict[str, Pipeline]:
    """Four small pipelines by name, each from clean windows to probabilities."""
    training = {
        "max_epochs": max_epochs,
        "batch_size": 16,
        "lr": 3e-3,
        "schedule": "one_cycle",
        "ema": {"decay": 0.98, "warmup": True},
        "random_state": random_state,
    }
    # A recurrent part would take most of the time on a CPU.
    small = {"kernels": (3, 9), "gru_hidden": 0}
    mel = TimmClassifier(
        "test_resnet",
        # The images show chains; a mirrored head has left and right ones exchanged.
        augment=[LeftRightMirror(panels=CHAINS)],
        **training,
    )
    image = TimmClassifier(
        "test_resnet",
        # Drawn batch by batch, so that signals are mirrored, with their signs.
        frontend=WaveformImager(rows=4),
        augment=[LeftRightMirror()],
        **training,
    )
    waveform = WaveformClassifier(
        "resnet1d_gru",
        architecture_params=small,
        augment=[LeftRightMirror()],
        **training,
    )
    # The branches say which nets stand side by side. They are trained together, each
    # with an auxiliary head of its own beside the head on what all of them see.
    both = MultiViewClassifier(
        [
            ("signal", WaveformClassifier("resnet1d_gru", architecture_params=small)),
            ("mel", TimmClassifier("test_resnet")),
        ],
        augment=[LeftRightMirror(panels={"mel": CHAINS})],
        aux_weight=0.5,
        **training,
    )
    views = ViewUnion(
        [("signal", Pipeline(signal_steps())), ("mel", Pipeline(mel_steps()))]
    )
    return {
        "mel image": Pipeline([*mel_steps(), ("net", mel)]),
        "raw image": Pipeline([*signal_steps(), ("net", image)]),
        "waveform": Pipeline([*signal_steps(), ("net", waveform)]),
        "multi-view": Pipeline([("views", views), ("net", both)]),
    }


def middle_rows(rows: pd.DataFrame) -> np.ndarray:
    """Position of the middle one of every EEG's windows.

    Those of one EEG overlap and have much the same votes: the others would cost time
    and memory and teach little.
    """
    of_eeg = rows.groupby("eeg_id")["eeg_id"]
    middle = (of_eeg.transform("size") - 1) // 2
    return np.flatnonzero(of_eeg.cumcount() == middle)


def read_windows(rows: pd.DataFrame, block: int = 64) -> np.ndarray:
    """Read and clean the windows, once for all families and folds.

    No step may learn anything: a window is then the same whichever rows are read with
    it, and no fold sees another.
    """
    cleaning = make_cleaning()
    learning = [name for name, step in cleaning.steps if get_tags(step).requires_fit]
    if learning:
        raise ValueError(f"read_windows: {learning} learn; they belong in the folds.")
    cleaning.fit(rows.iloc[:1])
    # In blocks, since 50 s are read for the 10 s that are kept.
    parts = [
        cleaning.transform(rows.iloc[start : start + block])
        for start in range(0, len(rows), block)
    ]
    return np.concatenate(parts)


def baseline_kl(y: np.ndarray, groups: np.ndarray, cv: GroupKFold) -> dict[str, float]:
    """KL of saying nothing, and of always saying the training rows' mean."""
    fractions = check_votes(y).fractions
    uniform = np.full_like(fractions, 1 / len(CLASSES))
    mean = np.empty_like(fractions)
    for train, test in cv.split(fractions, groups=groups):
        # One uniform row more: a class that no training patient has would cost 35 nat.
        mean[test] = np.vstack([fractions[train], uniform[:1]]).mean(axis=0)
    return dict(
        zip(BASELINES, (kl_divergence(y, uniform), kl_divergence(y, mean)), strict=True)
    )


def draw(scores: dict[str, float], title: str, path: Path) -> None:
    """Bars of all scores, and a line at half of the class mean's."""
    display = KLBarDisplay(scores, baselines=BASELINES).plot(title=title)
    half = scores["class mean"] / 2
    display.ax_.axvline(half, color="#d55e00", linestyle="--", linewidth=1)
    display.ax_.annotate(
        "half of the class mean",
        (half, 1),
        xycoords=("data", "axes fraction"),
        xytext=(4, -2),
        textcoords="offset points",
        va="top",
        color="#d55e00",
        fontsize=8,
    )
    display.figure_.savefig(path, dpi=110)
    plt.close(display.figure_)


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Score the four families; return the KL of each and of the baselines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="competition folder")
    parser.add_argument("--patients", type=int, default=200, help="to simulate")
    parser.add_argument("--epochs", type=int, default=10, help="of every training")
    parser.add_argument("--jobs", type=int, default=1, help="folds at a time")
    parser.add_argument("--out", type=Path, default=Path("four_families_output"))
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    if args.jobs != 1:
        torch.set_num_threads(1)  # a core for each fold

    root = args.root
    if root is None:
        root = args.out / "simulated_hms"
        say(f"no --root given: simulating {args.patients} patients in {root}")
        make_hms(root, args.patients, random_state=0, overwrite=True, n_jobs=-1)
    train = load_hms(root, "train")
    kept = middle_rows(train.data)
    rows, y, groups = train.data.iloc[kept], train.target[kept], train.groups[kept]
    n_patients = np.unique(groups).size
    what = f"{len(rows)} windows, one of each EEG, of {n_patients} patients"
    say(f"reading {what}")
    X = read_windows(rows)

    cv = GroupKFold(n_splits=min(3, n_patients))
    scores = baseline_kl(y, groups, cv)
    table = rows[["eeg_id", "eeg_sub_id", "patient_id", *VOTE_COLUMNS]].copy()
    threads = torch.get_num_threads()
    say(f"{cv.n_splits} folds by patient, {args.jobs} at a time, {threads} threads")
    seconds = {}
    for name, pipe in make_families(args.epochs).items():
        start = time.perf_counter()
        result = oof_predict_proba(
            pipe,
            X,
            y,
            groups=groups,
            cv=cv,
            n_jobs=args.jobs,
            return_folds=True,
            verbose=1,
        )
        seconds[name] = time.perf_counter() - start
        scores[name] = kl_divergence(y, result.proba)
        table["fold"] = result.folds
        table[[f"{name}: {column}" for column in VOTE_COLUMNS]] = result.proba

    say("KL by patient-grouped cross-validation (nat, lower is better):")
    print(f"             {'family':<12s} {'KL':>6s}  of class mean  seconds")
    for name, kl in scores.items():
        took = f"{seconds[name]:7.0f}" if name in seconds else ""
        share = kl / scores["class mean"]
        print(f"             {name:<12s} {kl:6.4f}  {share:13.3f}  {took}".rstrip())

    table.to_csv(args.out / "oof.csv", index=False)
    draw(scores, what, args.out / "kl_by_family.png")
    say(f"done: oof.csv, kl_by_family.png in {args.out}")
    return scores


if __name__ == "__main__":
    main()
