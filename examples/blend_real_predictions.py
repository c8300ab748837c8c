"""Every pool and every solver on the real predictions of a top-10 team
=======================================================================

    python examples/blend_real_predictions.py [--root FOLDER] [--trials 200]
                                              [--epochs 801] [--jobs 1] [--out DIR]

FOLDER (or the environment variable HMS_DATA) holds ``oof/targets.parquet`` and
``oof/predictions.parquet``: out-of-fold probabilities of 20 models and the votes. Rows
with at least 10 votes are blended. Weights are fitted in four of the team's five folds
of patients and scored in the fifth; the same on all rows gives the in-sample figure.

Prints one table and draws a picture. What to see in it: a blend's figure on the rows it
was fitted on says little. Pools with more freedom gain there and lose with other
patients, unless a penalty draws their weights together. Exact weights take a fraction
of a second and come with a proof, the gap; what the searches leave of it is, but for a
few hundred trials of Optuna, less than what all lose between patients.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from hmsklearn.ensemble import GroupContextBlender, KLBlender
from hmsklearn.metrics import kl_divergence
from hmsklearn.votes import VOTE_COLUMNS

MIN_VOTES = 10
COLOURS = {
    "linear": "#0072b2",
    "linear, bias, temperature": "#0072b2",
    "linear by class": "#0072b2",
    "linear, patients": "#0072b2",
    "mean of both": "#cc79a7",
    "log": "#d55e00",
    "log, bias": "#009e73",
    "log by class": "#009e73",
}


class Predictions(NamedTuple):
    """What is blended: probabilities (n, n_models, 6), votes, patients and folds."""

    prob: np.ndarray
    y: np.ndarray
    patients: np.ndarray
    folds: np.ndarray
    names: list[str]


# %%
# The predictions
# ---------------


def load(root: Path) -> Predictions:
    """Read the rows with enough votes."""
    targets = pd.read_parquet(root / "oof" / "targets.parquet")
    predictions = pd.read_parquet(root / "oof" / "predictions.parquet")
    rows = (targets["total_votes"] >= MIN_VOTES).to_numpy()
    targets = targets[rows].reset_index(drop=True)
    names = [column.rpartition("/")[0] for column in predictions.columns[::6]]
    prob = predictions[rows].to_numpy(np.float64).reshape(len(targets), len(names), 6)
    # A row of an unknown patient counts as a patient.
    patients = [
        f"row {row}" if pd.isna(patient) else str(patient)
        for row, patient in enumerate(targets["patient_id"])
    ]
    return Predictions(
        prob,
        targets[list(VOTE_COLUMNS)].to_numpy(),
        np.array(patients),
        targets["fold"].to_numpy(),
        names,
    )


# %%
# The blends
# ----------
# A linear pool is a mean of probabilities, a log pool one of their logarithms. The 3rd
# place's net is a log pool with class biases, and greedy selection knows no biases.


def make_blends(
    n_trials: int = 200, n_epochs: int = 801
) -> Iterator[tuple[str, str, KLBlender | GroupContextBlender]]:
    """Yield pool, solver and blender."""
    searches: dict[str, dict[str, Any]] = {
        "newton": {},
        "l-bfgs-b": {},
        "nelder-mead": {},
        "optuna": {"solver_params": {"n_trials": n_trials}},
        "greedy": {},
        "linear-net": {"solver_params": {"n_epochs": n_epochs}},
    }
    for pool, without in (
        ("linear", {"linear-net"}),
        ("log", {"linear-net"}),
        ("log, bias", {"greedy"}),
    ):
        form = {"pool": pool.partition(",")[0], "bias": "bias" in pool}
        for solver, more in searches.items():
            if solver not in without:
                yield (
                    pool,
                    solver,
                    KLBlender(**form, solver=solver, random_state=0, **more),
                )
    extra = {"alpha": "cv", "group_balance": 0.5}
    yield "linear", "newton, balanced patients", KLBlender(group_balance=0.5)
    yield "log, bias", "newton, penalty", KLBlender("log", bias=True, **extra)
    form = {"bias": True, "temperature": True}
    calibrated = "linear, bias, temperature"
    yield calibrated, "newton", KLBlender(**form)
    yield calibrated, "newton, penalty", KLBlender(**form, **extra)
    both = ("linear", "log")
    yield "mean of both", "newton, penalty", KLBlender(both, **form, **extra)
    by_class = {**form, "per_class": True, "alpha": 1.0, "group_balance": 0.5}
    yield "linear by class", "l-bfgs-b, penalty", KLBlender(**by_class)
    by_class = {"bias": True, "per_class": True, "alpha": 0.1, "group_balance": 0.5}
    yield "log by class", "newton, penalty", KLBlender("log", **by_class)
    context = GroupContextBlender(KLBlender(**extra))
    yield "linear, patients", "newton, penalty", context


# %%
# The scores
# ----------


def fit_one(blender: KLBlender, data: Predictions, rows: np.ndarray) -> KLBlender:
    """Fit a copy on some of the rows."""
    with warnings.catch_warnings():
        # A search that runs out of its budget says so; the table shows its gap.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return clone(blender).fit(
            data.prob[rows], data.y[rows], groups=data.patients[rows]
        )


def cross_fitted(blender: KLBlender, data: Predictions, n_jobs: int) -> float:
    """KL of the rows of every fold under the weights of the other folds."""
    folds = np.unique(data.folds)
    fitted = Parallel(n_jobs)(
        delayed(fit_one)(blender, data, data.folds != fold) for fold in folds
    )
    blend = np.empty_like(data.y, dtype=np.float64)
    for fold, each in zip(folds, fitted, strict=True):
        held_out = data.folds == fold
        rest = {}
        if isinstance(each, GroupContextBlender):
            # It looks at the other rows of the patients, not at their votes.
            rest["groups"] = data.patients[held_out]
        blend[held_out] = each.predict_proba(data.prob[held_out], **rest)
    return kl_divergence(data.y, blend)


def count_models(fitted: KLBlender | GroupContextBlender) -> int:
    """Count the models with weight in any of the pools."""
    blender = getattr(fitted, "blender_", fitted)
    sizes = [
        np.abs(pool.weights).reshape(len(pool.weights), -1).max(axis=1)
        for pool in blender.pools_
    ]
    return int((np.max(sizes, axis=0) > 1e-3).sum())


def score(blender: KLBlender, data: Predictions, n_jobs: int) -> dict[str, float]:
    """Seconds, in-sample KL, gap, models used, and cross-fitted KL."""
    start = time.perf_counter()
    fitted = fit_one(blender, data, np.ones(len(data.y), dtype=bool))
    seconds = time.perf_counter() - start
    return {
        "cross-fitted": cross_fitted(blender, data, n_jobs),
        "in-sample": fitted.kl_,
        "gap": fitted.gap_,
        "models": count_models(fitted),
        "seconds": seconds,
    }


def baselines(data: Predictions) -> list[dict[str, Any]]:
    """Score what needs no fit, and the best model, which is known afterwards."""
    alone = [kl_divergence(data.y, model) for model in data.prob.swapaxes(0, 1)]
    mean = kl_divergence(data.y, data.prob.mean(axis=1))
    logs = np.log(np.clip(data.prob, 1e-7, 1)).mean(axis=1)
    geometric = np.exp(logs - np.logaddexp.reduce(logs, axis=1, keepdims=True))
    rows = [
        ("", "best single model", min(alone)),
        ("linear", "equal weights", mean),
        ("log", "equal weights", kl_divergence(data.y, geometric)),
    ]
    return [
        {"pool": pool, "solver": solver, "cross-fitted": kl, "in-sample": kl}
        for pool, solver, kl in rows
    ]


def format_table(table: pd.DataFrame) -> str:
    """Lay the scores out, the best cross-fitted ones first."""
    return table.to_string(
        index=False,
        na_rep="",
        formatters={
            "cross-fitted": "{:.5f}".format,
            "in-sample": "{:.5f}".format,
            "gap": "{:.1e}".format,
            "models": "{:.0f}".format,
            "seconds": "{:.2f}".format,
        },
    )


# %%
# The picture
# -----------


def draw(table: pd.DataFrame, title: str, path: Path) -> None:
    """Dots of both figures of every blend, and the way from one to the other."""
    table = table[::-1].reset_index(drop=True)
    figure, ax = plt.subplots(figsize=(8, 0.9 + 0.3 * len(table)), layout="tight")
    for place, row in table.iterrows():
        colour = COLOURS.get(row["pool"], "#999999")
        figures = [row["in-sample"], row["cross-fitted"]]
        ax.plot(figures, [place, place], color=colour, linewidth=1)
        ax.plot(figures[0], place, "o", color=colour, markerfacecolor="white")
        ax.plot(figures[1], place, "o", color=colour)
        ax.annotate(
            f"{figures[1]:.4f}",
            (figures[1], place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    names = (table["pool"] + ": " + table["solver"]).str.removeprefix(": ")
    ax.set_yticks(range(len(table)), names)
    ax.set_xlabel("KL divergence (nat): in-sample (open), other patients (filled)")
    ax.margins(x=0.08)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(title, loc="left", fontsize=10)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(argv: list[str] | None = None) -> pd.DataFrame:
    """Score all blends; return the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=os.environ.get("HMS_DATA"))
    parser.add_argument("--trials", type=int, default=200, help="of optuna")
    parser.add_argument("--epochs", type=int, default=801, help="of the linear net")
    parser.add_argument("--jobs", type=int, default=1, help="folds at a time")
    parser.add_argument("--out", type=Path, default=Path("blend_output"))
    args = parser.parse_args(argv)
    if args.root is None:
        parser.error("give --root FOLDER, or set HMS_DATA; FOLDER/oof is read")
    args.out.mkdir(parents=True, exist_ok=True)

    data = load(Path(args.root))
    title = f"{len(data.names)} models, {len(data.y)} rows, weights of other patients"
    print(title, flush=True)
    rows = baselines(data)
    for pool, solver, blender in make_blends(args.trials, args.epochs):
        scores = score(blender, data, args.jobs)
        rows.append({"pool": pool, "solver": solver, **scores})
        took = scores["seconds"]
        print(f"  {pool}: {solver} is done, {took:.2f} s a fit", flush=True)
    table = pd.DataFrame(rows).sort_values("cross-fitted", kind="stable")
    print(format_table(table))
    table.to_csv(args.out / "blends.csv", index=False)
    draw(table, title, args.out / "blends.png")
    print(f"blends.csv and blends.png are in {args.out}")
    return table


if __name__ == "__main__":
    main()
