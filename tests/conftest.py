"""Fixtures shared by all tests, and the two guards that every test runs under."""

import os
import socket
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from hmsklearn.montage import CH_NAMES

# Small tests get slower with more threads, and the machines that run them share cores.
torch.set_num_threads(1)

sys.path.insert(0, str(Path(__file__).parent / "helpers"))


def pytest_configure(config):
    """Share the slow tests out over parts where the environment names one."""
    import slow_rota

    config.pluginmanager.register(slow_rota, "slow_rota")


def pytest_collection_modifyitems(items):
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="no CUDA device on this machine")
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Let no test open a connection: nothing in the package may need one.

    Sockets between the processes of this machine stay allowed, joblib's workers
    use them.
    """
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded(original):
        def call(self, address):
            outside = self.family in (socket.AF_INET, socket.AF_INET6)
            if outside and address[0] not in ("127.0.0.1", "::1", "localhost"):
                raise RuntimeError(f"a test tried to connect to {address}")
            return original(self, address)

        return call

    monkeypatch.setattr(socket.socket, "connect", guarded(connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(connect_ex))


@pytest.fixture(scope="session")
def hms_data():
    """Folder of the real files that the environment variable HMS_DATA names."""
    folder = os.environ.get("HMS_DATA")
    if not folder:
        pytest.skip("needs real files: set the environment variable HMS_DATA")
    folder = Path(folder)
    if not folder.is_dir():
        pytest.fail(f"HMS_DATA={folder} is not a folder")
    return folder


@pytest.fixture(scope="session")
def real_windows(hms_data):
    """First 50 s of every real EEG: (n, 20, 10000) float32 microvolt; read-only."""
    paths = sorted(hms_data.glob("*/train_eegs/*.parquet"))
    windows = [pd.read_parquet(path)[list(CH_NAMES)][:10_000] for path in paths]
    X = np.stack([window.to_numpy(np.float32).T for window in windows])
    X.setflags(write=False)
    return X


@pytest.fixture(scope="session")
def hms_root(tmp_path_factory):
    """Small simulated folder in the competition's layout; do not write into it."""
    from hmsklearn.datasets import make_hms

    root = tmp_path_factory.mktemp("simulated_hms")
    make_hms(root, n_patients=3, n_test=2, random_state=0)
    return root


@pytest.fixture
def rng():
    """Random numbers that are the same in every run."""
    return np.random.default_rng(20240108)


@pytest.fixture
def signals(rng):
    """Two seconds of noise on the 20 channels: (6, 20, 400) float32 microvolt."""
    return rng.normal(0, 30, (6, len(CH_NAMES), 400)).astype(np.float32)


@pytest.fixture
def votes(rng):
    """Vote counts of shape (6, 6), every class the favourite once."""
    return rng.integers(0, 3, (6, 6)) + 5 * np.eye(6, dtype=int)
