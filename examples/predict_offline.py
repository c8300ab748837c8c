"""Predict a competition folder with a dumped stack: the offline notebook's job.

    python examples/predict_offline.py stack.joblib FOLDER submission.csv

Needs no network and no GPU. With ``--block-network`` every attempt to connect is an
error, which proves the first half.
"""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

import joblib

from hmsklearn.datasets import load_hms, write_submission


def refuse(*args: object, **kwargs: object) -> None:
    """Stand in for every way to open a connection."""
    raise OSError("the network is blocked (--block-network)")


def main() -> None:
    """Load, predict, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stack", type=Path, help="a fitted estimator, joblib.dump-ed")
    parser.add_argument("root", type=Path, help="folder with test.csv and test_eegs")
    parser.add_argument("submission", type=Path, help="csv file to write")
    parser.add_argument("--block-network", action="store_true")
    args = parser.parse_args()
    if args.block_network:
        socket.socket.connect = refuse
        socket.socket.connect_ex = refuse
        socket.getaddrinfo = refuse

    stack = joblib.load(args.stack)
    # The rows know the folder they were read from, so a pipeline that was fitted
    # elsewhere finds the files of this one.
    test = load_hms(args.root, "test")
    proba = stack.predict_proba(test.data)
    sample = args.root / "sample_submission.csv"
    checked = sample if sample.exists() else None
    table = write_submission(args.submission, test.data, proba, sample=checked)
    against = f"checked against {sample.name}" if checked else f"there is no {sample}"
    print(f"wrote {args.submission}: {len(table)} rows, {against}")


if __name__ == "__main__":
    main()
