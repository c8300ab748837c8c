"""
Calibrating SPaRCNet's predictions over patients
================================================

    python examples/calibrate_sparcnet.py [--root FOLDER] [--out DIR]

SPaRCNet's probabilities for 35,740 windows that 9 to 20 experts voted on: one
temperature, and one temperature with six class biases, are found on four fifths of the
patients and tried on the rest, five times. Prints KL divergence and calibration error
before and after with intervals over patients, the noise floor, and a paired comparison,
and saves reliability diagrams.

The folder holds ``oof/sparcnet_35740.parquet``; without ``--root``, the environment
variable HMS_DATA names it. Data: Jing et al., IIIC-SPaRCNet, ODC-By 1.0.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from hmsklearn.calibration import fit_temperature
from hmsklearn.metrics import (
    calibration_report,
    compare_models,
    kl_noise_floor,
    kl_report,
)
from hmsklearn.plotting import ReliabilityDisplay
from hmsklearn.votes import VOTE_COLUMNS


def load(root: Path) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Return votes, SPaRCNet's probabilities and patients.

    4,935 windows do not tell their patient. They are kept together as one: no
    cross-validation can then divide a patient among them.
    """
    table = pd.read_parquet(root / "oof" / "sparcnet_35740.parquet")
    votes = table[list(VOTE_COLUMNS)]
    proba = table[[f"pred_{column}" for column in VOTE_COLUMNS]]
    proba = proba.set_axis(VOTE_COLUMNS, axis=1)
    return votes, proba, table["subject"].fillna("unknown").to_numpy(dtype=str)


def calibrate(
    votes: pd.DataFrame, proba: pd.DataFrame, patient: np.ndarray, *, bias: bool
) -> np.ndarray:
    """Scale each fold's rows by what was found on the other folds' patients."""
    scaled = np.empty(proba.shape)
    for train, test in GroupKFold(5).split(proba, votes, patient):
        fit = fit_temperature(proba.iloc[train], votes.iloc[train], bias=bias)
        scaled[test] = fit.transform(proba.iloc[test])
        biases = " ".join(f"{value:+.2f}" for value in fit.bias) if bias else "none"
        print(
            f"  temperature {fit.temperature:.3f}, biases {biases}; "
            f"gradient {fit.grad_norm:.0e}"
        )
    return scaled


def main() -> None:
    """Print before and after, and save the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--root", type=Path, default=os.environ.get("HMS_DATA"))
    parser.add_argument("--out", type=Path, default=Path("."))
    args = parser.parse_args()
    if args.root is None:
        parser.error("name the folder: --root, or the environment variable HMS_DATA")

    votes, proba, patient = load(Path(args.root))
    models = {"SPaRCNet": proba.to_numpy()}
    for name, bias in (("temperature", False), ("temperature + bias", True)):
        print(f"{name}, found on four fifths of the patients:")
        models[name] = calibrate(votes, proba, patient, bias=bias)

    # Recordings are not told: no row can be known for a copy of another's rating.
    floor, copies = kl_noise_floor(votes), kl_noise_floor(votes, groups=patient)
    print(
        f"noise floor: {floor:.4f} nat, and {copies:.4f} if equal votes of one patient "
        "are copies\n"
    )
    how = {"groups": patient, "random_state": 0}
    for name, predicted in models.items():
        kl = kl_report(votes, predicted, by="overall", noise_floor=None, **how).iloc[0]
        error = calibration_report(votes, predicted, **how).set_index("class")
        classwise, top = error.loc["classwise"], error.loc["top label"]
        print(
            f"{name}: KL {kl['kl']:.4f} [{kl['low']:.4f}, {kl['high']:.4f}], "
            f"ECE {classwise['ece']:.4f} (chance {classwise['chance']:.4f}), "
            f"of the top label {top['ece']:.4f} (chance {top['chance']:.4f})"
        )
    print()
    names = list(models)
    for after, before in zip(names[1:], names[:-1], strict=True):
        pair = (models[after], models[before])
        print(compare_models(votes, *pair, names=(after, before), **how), "\n")

    args.out.mkdir(parents=True, exist_ok=True)
    axes = None
    for name, color in (("SPaRCNet", "#999999"), ("temperature + bias", "#0072b2")):
        display = ReliabilityDisplay.from_predictions(
            votes, pd.DataFrame(models[name], columns=VOTE_COLUMNS), name=name, **how
        ).plot(axes, color=color)
        axes = display.axes_
    path = args.out / "sparcnet_reliability.png"
    display.figure_.savefig(path, dpi=120)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
