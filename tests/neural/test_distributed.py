"""Two processes come to what one comes to, agree on everything, and fail together."""

import os
import pickle
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from pandas.testing import assert_frame_equal

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

import distributed_cases as cases

from hmsklearn.neural._distributed import Processes, _check_state, find_workers
from hmsklearn.neural._one_process import OneProcess

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
]

# Two processes and one add the same numbers in another order.
ATOL = 1e-5


def run(*command):
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """What each of two processes has come to."""
    folder = tmp_path_factory.mktemp("processes")
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", 2]
    address = ["--master_addr", "127.0.0.1", "--master_port", free_port()]
    run(*launcher, *address, cases.__file__, folder)
    return [pickle.loads((folder / f"{rank}.pkl").read_bytes()) for rank in (0, 1)]


@pytest.mark.slow
class TestTwoProcesses:
    @pytest.mark.parametrize("name", [*cases.equal_cases(), *cases.own_cases()])
    def test_both_hold_the_same(self, both, name):
        first, second = (result["cases"][name] for result in both)
        assert np.array_equal(first["weights"], second["weights"])
        assert np.array_equal(first["prob"], second["prob"])
        assert first["history"].equals(second["history"])
        assert first["evaluations"].equals(second["evaluations"])
        assert first["best_epoch"] == second["best_epoch"]

    @pytest.mark.parametrize("name", cases.equal_cases())
    def test_as_one_process(self, both, name):
        shared = both[0]["cases"][name]
        alone = cases.fit(cases.equal_cases()[name], False)
        np.testing.assert_allclose(shared["weights"], alone["weights"], atol=ATOL)
        np.testing.assert_allclose(shared["prob"], alone["prob"], atol=ATOL)
        for table in ("history", "evaluations"):
            assert_frame_equal(shared[table], alone[table], atol=ATOL, rtol=0)
        assert shared["best_epoch"] == alone["best_epoch"]

    def test_early_stopping_stopped(self, both):
        history = both[0]["cases"]["stops early"]["history"]
        assert len(history) < 12

    def test_parts_of_a_batch(self, both):
        (_, first), (_, second) = (r["cases"]["batch norm"]["draws"][0] for r in both)
        both_sizes = list(zip(first, second, strict=True))
        # 17 windows are nine and eight.
        assert both_sizes[0] == (9, 8)
        assert {abs(a - b) for a, b in both_sizes} <= {0, 1}

    def test_random_numbers_differ_and_are_seeded(self, both):
        (first, _), (second, _) = (r["cases"]["batch norm"]["draws"][0] for r in both)
        assert not set(first) & set(second)
        for result in both:
            one, again = (result["cases"][name] for name in ("batch norm", "again"))
            assert np.array_equal(one["weights"], again["weights"])
            assert one["draws"] == again["draws"]

    def test_one_process_may_stop_all(self, both):
        assert len(both[0]["cases"]["stopped by the second"]["history"]) == 2

    def test_a_layer_without_gradient_anywhere_stays(self, both):
        never = both[0]["cases"]["layers left out"]["never"]
        X, votes, _ = cases.windows()
        clf = cases.classifier(False, architecture=cases.Optional, lr=1e-30)
        start = clf.fit(X, votes).net_.module_.body.never.weight
        # Not even by weight decay.
        assert np.array_equal(never, start.detach().numpy())

    def test_partial_fit(self, both):
        assert np.array_equal(both[0]["parts"]["weights"], both[1]["parts"]["weights"])
        alone = cases.fit_in_parts(False)
        np.testing.assert_allclose(both[0]["parts"]["prob"], alone["prob"], atol=ATOL)

    def test_resumed(self, both):
        for result in both:
            resume = result["resume"]
            assert resume["failure"] == "OSError: the disk is full"
            whole, resumed = resume["whole"], resume["resumed"]
            assert np.array_equal(whole["weights"], resumed["weights"])
            assert whole["history"].equals(resumed["history"])

    def test_one_checkpoint(self, both):
        (name,) = both[0]["resume"]["files"]
        assert name.startswith("WaveformClassifier-")
        assert name.endswith(".pt")

    def test_divergence_is_seen_by_both(self, both):
        assert "training loss became nan in epoch 1" in both[0]["diverges"]
        assert both[0]["diverges"] == both[1]["diverges"]

    @pytest.mark.parametrize("what", ["other data", "other parameters"])
    def test_differences_are_refused_by_both(self, both, what):
        assert (
            "ValueError: WaveformClassifier: distributed=True needs the same"
            in (both[0][what])
        )
        assert both[0][what] == both[1][what]

    def test_a_process_that_dies_leaves_none_waiting(self):
        # Gloo alone would wait for half an hour.
        (line,) = run(cases.__file__, "lose_one", free_port()).splitlines()
        assert line.startswith("0 RuntimeError: WaveformClassifier: process 0 of 2 ")
        assert "with checkpoint=... and resume=True they go on" in line
        assert re.search("Connection (closed|reset) by peer", line)


class TestParts:
    @pytest.mark.parametrize("size", [1, 2, 3, 8])
    @pytest.mark.parametrize("n", [1, 2, 3, 5, 16, 33])
    def test_every_window_once(self, size, n):
        rows = np.random.default_rng(0).permutation(n)
        device = torch.device("cpu")
        workers = [
            Processes(
                SimpleNamespace(num_processes=size, process_index=i, device=device)
            )
            for i in range(size)
        ]
        parts = [worker.part(rows) for worker in workers]
        weights = [worker.weight(n) for worker in workers]
        # Batch norms need two windows.
        assert min(map(len, parts)) >= min(n, 2)
        assert sum(weights) == pytest.approx(1)
        counted = [p for p, w in zip(parts, weights, strict=True) if w > 0]
        assert sorted(np.concatenate(counted)) == list(range(n))
        assert [len(p) / n for p in counted] == [w for w in weights if w > 0]


class TestWithoutLauncher:
    def test_one_process_trains_alone(self):
        X, votes, _ = cases.windows()
        shared = cases.classifier(True)
        with pytest.warns(UserWarning, match="there is one process only") as caught:
            shared.fit(X, votes)
        assert caught[0].filename == __file__
        alone = cases.classifier(False).fit(X, votes)
        assert np.array_equal(shared.predict_proba(X), alone.predict_proba(X))
        assert type(shared.net_.workers_) is OneProcess

    @pytest.mark.parametrize("seed", [None, True, np.random.RandomState(0)])
    def test_needs_a_seed(self, seed):
        X, votes, _ = cases.windows()
        with pytest.raises(
            ValueError, match="WaveformClassifier: distributed=True needs a whole numb"
        ):
            cases.classifier(True, random_state=seed).fit(X, votes)

    def test_needs_accelerate(self, monkeypatch):
        X, votes, _ = cases.windows()
        monkeypatch.setitem(sys.modules, "accelerate", None)
        with pytest.raises(ImportError, match=r"hmsklearn\[distributed\]"):
            cases.classifier(True).fit(X, votes)
        cases.classifier(False, max_epochs=1).fit(X, votes)

    def test_not_in_a_worker_of_joblib(self, monkeypatch):
        monkeypatch.setenv("WORLD_SIZE", "2")
        caught = []

        def work():
            try:
                find_workers(True, "cpu", 0, caller="test")
            except RuntimeError as error:
                caught.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert caught
        assert "test: distributed=True in a worker of joblib" in caught[0]
        assert "n_jobs=1" in caught[0]


@pytest.mark.parametrize(
    ("kind", "of_process", "asked", "message"),
    [
        ("DEEPSPEED", "cuda:0", "auto", "launched for DEEPSPEED.*--multi_gpu"),
        ("MULTI_GPU", "cuda:0", "cpu", "on 'cuda'.*--cpu"),
        ("MULTI_GPU", "cuda:0", "cuda:1", "this one 'cuda:0'.*device='auto'"),
    ],
)
def test_devices_that_do_not_go_together(kind, of_process, asked, message):
    state = SimpleNamespace(
        distributed_type=SimpleNamespace(name=kind), device=torch.device(of_process)
    )
    resolved = torch.device("cuda" if asked == "auto" else asked)
    with pytest.raises(ValueError, match=f"test: .*{message}"):
        _check_state(state, resolved, asked, "test")
