"""Tables of what a net remembers of its training, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from hmsklearn.neural._net import VoteNet

__all__ = ["histories", "rows_of"]


def histories(net: VoteNet) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make tables of what a net remembers of its training.

    Parameters
    ----------
    net : VoteNet
        The net.

    Returns
    -------
    history : DataFrame
        One row an epoch; an epoch that was broken off is left out.
    evaluations : DataFrame
        One row a validation, with its place in epochs.
    """
    rows, evaluations = [], []
    for row in net.history:
        for epoch, kl in row.get("evaluations", ()):
            evaluations.append((epoch, kl))
        if "lr" not in row:
            continue
        valid = float(row.get("valid_loss", np.nan))
        if not np.isnan(valid):
            evaluations.append((float(row["epoch"]), valid))
        rows.append(
            {
                "stage": row["stage"],
                "epoch": row["epoch"],
                "train_loss": float(row["train_loss"]),
                "valid_kl": valid,
                "lr": row["lr"],
                "duration": row["dur"],
            }
        )
    columns = ["stage", "epoch", "train_loss", "valid_kl", "lr", "duration"]
    return (
        pd.DataFrame(rows, columns=columns),
        pd.DataFrame(evaluations, columns=["epoch", "valid_kl"]),
    )


def rows_of(
    history: pd.DataFrame, evaluations: pd.DataFrame, n_rows: int
) -> list[dict[str, Any]]:
    """Make what a net remembers of its training from the tables of it.

    Parameters
    ----------
    history, evaluations : DataFrame
        What :func:`histories` gave.
    n_rows : int
        Number of epochs, with those that were broken off.

    Returns
    -------
    list of dict
        One for every epoch; of the batches nothing is known any more.
    """
    rows: list[dict[str, Any]] = [
        {"epoch": epoch, "batches": []} for epoch in range(1, n_rows + 1)
    ]
    for known in history.to_dict("records"):
        row = rows[int(known["epoch"]) - 1]
        row |= {name: known[name] for name in ("stage", "train_loss", "lr")}
        row["dur"] = known["duration"]
        if not np.isnan(known["valid_kl"]):
            row["valid_loss"] = known["valid_kl"]
    for epoch, kl in evaluations.itertuples(index=False):
        row = rows[int(np.ceil(epoch)) - 1]
        if "valid_loss" not in row or epoch != row["epoch"]:
            row.setdefault("evaluations", []).append((epoch, kl))
    return rows
