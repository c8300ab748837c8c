"""A classifier that writes down each of its fits, so that other processes count too."""

import os
from pathlib import Path

import numpy as np
from soft_labels import SoftForestlike


class Logged(SoftForestlike):
    """Appends a line to a file for every fit; stops its process at a given one."""

    def __init__(
        self,
        C=1.0,
        classes="hms",
        columns=None,
        random_state=None,
        log=None,
        kill_at=None,
    ):
        super().__init__(C, classes, columns, random_state)
        self.log = log
        self.kill_at = kill_at

    def fit(self, X, y, sample_weight=None):
        if self.log is not None:
            # Appended in one piece, whichever process writes.
            with open(self.log, "ab", buffering=0) as file:
                file.write(f"{len(X)}\n".encode())
        # A variable and no parameter: the estimator that goes on must be the same.
        spared = "HMSKLEARN_TEST_NO_KILL" in os.environ
        if not spared and self.kill_at and count_fits(self.log) >= self.kill_at:
            os.kill(os.getpid(), 9)
        return super().fit(np.asarray(X), y, sample_weight)


def count_fits(log):
    log = Path(log)
    return len(log.read_text().splitlines()) if log.exists() else 0
