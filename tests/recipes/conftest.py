"""Make the helpers importable, and two rows for whoever looks at sizes."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))


@pytest.fixture(scope="session")
def two_rows(hms_root):
    """Two rows of two EEGs of a simulated train.csv."""
    from hmsklearn.datasets import load_hms

    rows = load_hms(hms_root).data
    return rows.drop_duplicates("eeg_id").iloc[:2]


@pytest.fixture(scope="session")
def two_votes(hms_root, two_rows):
    """Their votes."""
    from hmsklearn.votes import VOTE_COLUMNS

    return two_rows[list(VOTE_COLUMNS)].to_numpy()
