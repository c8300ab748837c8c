"""From train.csv to submission.csv: the main job, end to end.

    python examples/quickstart.py [--root FOLDER] [--out DIR]

Reads a competition folder (or simulates one), cross-validates two pipelines by
patient, stacks them, dumps the stack, loads it in a fresh process without network or
GPU, and writes ``submission.csv`` and two pictures.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline

from hmsklearn.datasets import HMSReader, load_hms, make_hms
from hmsklearn.ensemble import StackingKLClassifier
from hmsklearn.imaging import ChainMean
from hmsklearn.metrics import kl_divergence
from hmsklearn.montage import CH_NAMES
from hmsklearn.neural import TimmClassifier, WaveformClassifier
from hmsklearn.plotting import KLBarDisplay, SpectrogramDisplay, TracesDisplay
from hmsklearn.preprocessing import (
    AmplitudeScaler,
    ButterworthFilter,
    CentreCrop,
    Decimator,
    MontageTransformer,
    NaNImputer,
)
from hmsklearn.spectrogram import MelSpectrogramizer
from hmsklearn.votes import CLASSES, check_votes

START = time.perf_counter()


def say(text: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"[{time.perf_counter() - START:6.1f} s] {text}", flush=True)


def make_pipelines(random_state: int = 0) -> list[tuple[str, Pipeline]]:
    """Two views of a window: mel images of the chains, and the waveform itself."""
    gpu = torch.cuda.is_available()
    # On a CPU, sizes that two cores train in a minute; on a GPU, the published ones.
    backbone = "tf_efficientnet_b0" if gpu else "test_resnet"
    image = {} if gpu else {"n_mels": 64}
    architecture = {} if gpu else {"gru_hidden": 32, "gru_stride": 4}
    net = {"max_epochs": 12, "batch_size": 16, "lr": 2e-3, "random_state": random_state}
    clean = [
        ("read", HMSReader()),
        ("impute", NaNImputer()),
        ("montage", MontageTransformer("double_banana")),
        ("filter", ButterworthFilter(0.5, 20.0)),
        ("crop", CentreCrop(10.0)),  # what the experts rated
    ]
    mel = Pipeline(
        [
            *clean,
            # Decibel over a fixed level, so that the net sees how strong a signal is.
            (
                "mel",
                MelSpectrogramizer(hop_length=15, ref=1.0, offset=0, scale=20, **image),
            ),
            ("chains", ChainMean("double_banana")),
            ("net", TimmClassifier(backbone, **net)),
        ]
    )
    raw = Pipeline(
        [
            *clean,
            ("decimate", Decimator(5)),
            ("scale", AmplitudeScaler(clip=1024.0, scale=32.0)),
            (
                "net",
                WaveformClassifier(
                    "resnet1d_gru", architecture_params=architecture, **net
                ),
            ),
        ]
    )
    return [("mel", mel), ("raw", raw)]


def baseline_kl(y: np.ndarray, groups: np.ndarray, cv: GroupKFold) -> dict[str, float]:
    """KL of saying nothing, and of always saying the training rows' mean."""
    fractions = check_votes(y).fractions
    uniform = np.full_like(fractions, 1 / len(CLASSES))
    mean = np.empty_like(fractions)
    for train, test in cv.split(fractions, groups=groups):
        # One uniform row more: a class that no training patient has would cost 35 nat.
        mean[test] = np.vstack([fractions[train], uniform[:1]]).mean(axis=0)
    return {
        "uniform": kl_divergence(y, uniform),
        "class mean": kl_divergence(y, mean),
    }


def draw_window(rows: pd.DataFrame, path: Path) -> None:
    """One window: traces in double banana beside its mel image."""
    row = rows.iloc[:1]
    window = NaNImputer().fit_transform(HMSReader().fit_transform(row))
    image = make_pipeline(
        MontageTransformer(),
        ButterworthFilter(0.5, 20.0),
        MelSpectrogramizer(),
        ChainMean(),
    ).fit(window)
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(15, 7.5), width_ratios=[3, 2], layout="constrained"
    )
    voted = row["expert_consensus"].iloc[0]
    TracesDisplay.from_window(
        ButterworthFilter(0.5, 40.0).fit_transform(window)[0]
    ).plot(left, title=f"EEG {row['eeg_id'].iloc[0]}, voted {voted} (0.5-40 Hz)")
    SpectrogramDisplay(
        image.transform(window)[0],
        plane_names=image.get_feature_names_out(CH_NAMES),
    ).plot(right, title="mel image, mean of each chain's four derivations")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Run the whole job; return the KL of every model and baseline."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="competition folder")
    parser.add_argument("--out", type=Path, default=Path("quickstart_output"))
    parser.add_argument("--patients", type=int, default=48, help="to simulate")
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)

    root = args.root
    if root is None:
        root = args.out / "simulated_hms"
        say(f"no --root given: simulating {args.patients} patients in {root}")
        make_hms(root, args.patients, random_state=0, overwrite=True, n_jobs=-1)
    train = load_hms(root, "train")
    n_patients = np.unique(train.groups).size
    say(f"{root}: {len(train.data)} rows, {n_patients} patients")

    cv = GroupKFold(n_splits=min(3, n_patients))
    baselines = baseline_kl(train.target, train.groups, cv)
    say("cross-validating two pipelines by patient and stacking them")
    stack = StackingKLClassifier(make_pipelines(), cv=cv, verbose=1)
    stack.fit(train.data, train.target, groups=train.groups)

    scores = {**baselines, **stack.member_kl_, "stack": stack.kl_}
    say("KL by patient-grouped cross-validation (nat, lower is better):")
    for name, kl in scores.items():
        print(f"             {name:<12s} {kl:.4f}")

    dump = args.out / "stack.joblib"
    joblib.dump(stack, dump)
    say(f"dumped {dump}: {dump.stat().st_size / 1e6:.1f} MB")
    submission = args.out / "submission.csv"
    say("predicting the test rows in a fresh process, without network or GPU")
    subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("predict_offline.py")),
            *(str(dump), str(root), str(submission), "--block-network"),
        ],
        check=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )

    KLBarDisplay(scores, baselines=list(baselines), highlight=["stack"]).plot(
        title=f"{len(train.data)} windows, {n_patients} patients"
    ).figure_.savefig(args.out / "kl_by_model.png", dpi=110)
    draw_window(train.data, args.out / "window.png")
    say(f"done: {submission}, {dump.name}, kl_by_model.png, window.png in {args.out}")
    return scores


if __name__ == "__main__":
    main()
