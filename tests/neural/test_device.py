"""GPUs among the workers of joblib: one each; and the errors about devices.

No GPU is needed: what torch says about them is replaced.
"""

import contextlib
import multiprocessing
import os
import signal
import tempfile
import threading
import time
import warnings
from types import SimpleNamespace

import filelock
import joblib
import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from hmsklearn.neural import WaveformClassifier, _device
from hmsklearn.neural._device import (
    naming_memory,
    resolve_device,
    seeded,
    training_device,
)


def pretend_gpus(n, folder, patch):
    """Let torch report `n` GPUs, and locks lie in a folder of their own."""
    patch(torch.cuda, "is_available", lambda: n > 0)
    patch(torch.cuda, "device_count", lambda: n)
    patch(torch.cuda, "current_device", lambda: 0)
    patch(
        torch.cuda,
        "get_device_properties",
        lambda index: SimpleNamespace(uuid=f"card-{index}"),
    )
    patch(_device.tempfile, "gettempdir", lambda: str(folder))


@pytest.fixture
def gpus(monkeypatch, tmp_path):
    """Make a number of GPUs appear."""
    return lambda n: pretend_gpus(n, tmp_path, monkeypatch.setattr)


def wait_for(*paths):
    """Wait until other processes or threads have written files."""
    deadline = time.monotonic() + 30
    while not all(path.exists() for path in paths):
        if time.monotonic() > deadline:
            raise TimeoutError([str(path) for path in paths])
        time.sleep(0.005)


def take_together(n_gpus, n_tasks, number, folder, device="auto", pretend=True):
    """Hold a device until all tasks have tried to get one."""
    # joblib keeps its workers for the next test: they must not keep the GPUs.
    with pytest.MonkeyPatch.context() as patch:
        if pretend:
            pretend_gpus(n_gpus, folder, patch.setattr)
        try:
            with training_device(device, caller="test") as taken:
                (folder / f"tried-{number}").touch()
                wait_for(*(folder / f"tried-{i}" for i in range(n_tasks)))
                return taken
        except RuntimeError as error:
            (folder / f"tried-{number}").touch()
            return str(error)


def train_together(n_tasks, number, folder, X, y):
    """Train on a GPU if one is free, while all tasks want one."""
    clf = WaveformClassifier(
        architecture_params={"width": 4, "kernels": (3,), "n_blocks": 1},
        callbacks=[WaitsForTheOthers(n_tasks, number, folder)],
        max_epochs=2,
        random_state=0,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_device.tempfile, "gettempdir", lambda: str(folder))
        try:
            clf.fit(X, y)
        except RuntimeError as error:
            (folder / f"tried-{number}").touch()
            return str(error)
    return clf.device_, clf.predict_proba(X)


class WaitsForTheOthers(Callback):
    """Hold the GPU of a training until all tasks have tried to get one."""

    def __init__(self, n_tasks, number, folder):
        self.n_tasks = n_tasks
        self.number = number
        self.folder = folder

    def on_train_begin(self, net, **kwargs):
        (self.folder / f"tried-{self.number}").touch()
        wait_for(*(self.folder / f"tried-{i}" for i in range(self.n_tasks)))


def seen_together(number, n_tasks, folder):
    """What a worker knows of GPUs and folders, once all workers are at it."""
    (folder / f"seen-{number}").touch()
    wait_for(*(folder / f"seen-{i}" for i in range(n_tasks)))
    return torch.cuda.is_available(), torch.cuda.device_count(), tempfile.gettempdir()


def hold_until_killed(folder):
    with training_device("cuda:0", caller="test"):
        (folder / "held").touch()
        time.sleep(60)


def in_a_thread(function, *args):
    """Run a function where joblib's threads would: not in the main thread."""
    outcome = []

    def work():
        try:
            outcome.append(function(*args))
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=work, name="ThreadPoolExecutor-0_0")
    thread.start()
    thread.join()
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


@contextlib.contextmanager
def held(index):
    """Let another thread hold a GPU."""
    ready, done = threading.Event(), threading.Event()

    def work():
        with training_device(f"cuda:{index}", caller="other"):
            ready.set()
            done.wait(30)

    thread = threading.Thread(target=work)
    thread.start()
    assert ready.wait(30)
    try:
        yield
    finally:
        done.set()
        thread.join()


def name_of(device):
    with training_device(device, caller="test") as taken:
        return taken


class TestWorkers:
    @pytest.mark.slow
    def test_processes_get_a_gpu_each(self, tmp_path):
        taken = joblib.Parallel(n_jobs=2, backend="loky")(
            joblib.delayed(take_together)(2, 2, i, tmp_path) for i in range(2)
        )
        assert sorted(taken) == ["cuda:0", "cuda:1"]

    @pytest.mark.gpu
    def test_one_training_on_each_gpu_there_is(self, data, tmp_path):
        n_gpus = torch.cuda.device_count()
        results = joblib.Parallel(n_jobs=n_gpus + 1, backend="loky")(
            joblib.delayed(train_together)(
                n_gpus + 1, i, tmp_path, data.X, data.label % 6
            )
            for i in range(n_gpus + 1)
        )
        (refused,) = (one for one in results if isinstance(one, str))
        assert "for another worker already" in refused
        assert f"n_jobs={n_gpus}" in refused
        trained = [one for one in results if one is not refused]
        assert sorted(name for name, _ in trained) == [
            f"cuda:{i}" for i in range(n_gpus)
        ]
        assert all(np.isfinite(prob).all() for _, prob in trained)

    def test_threads_get_a_gpu_each(self, gpus, tmp_path):
        gpus(3)
        taken = joblib.Parallel(n_jobs=3, backend="threading")(
            joblib.delayed(take_together)(3, 3, i, tmp_path, "auto", False)
            for i in range(3)
        )
        assert sorted(taken) == ["cuda:0", "cuda:1", "cuda:2"]

    @pytest.mark.slow
    def test_one_worker_too_many(self, tmp_path):
        taken = joblib.Parallel(n_jobs=2, backend="loky")(
            joblib.delayed(take_together)(1, 2, i, tmp_path) for i in range(2)
        )
        (got,) = (one for one in taken if one == "cuda:0")
        (refused,) = (one for one in taken if one != got)
        assert refused.startswith("test: GPU 0 trains for another worker already")
        assert "n_jobs=1 or less, or device='cpu'" in refused

    @pytest.mark.slow
    def test_workers_forget_the_gpus_of_a_test(self, tmp_path):
        here = torch.cuda.is_available(), torch.cuda.device_count()
        with joblib.Parallel(n_jobs=2, backend="loky") as workers:
            taken = workers(
                joblib.delayed(take_together)(2, 2, i, tmp_path) for i in range(2)
            )
            assert sorted(taken) == ["cuda:0", "cuda:1"]
            seen = workers(
                joblib.delayed(seen_together)(i, 2, tmp_path) for i in range(2)
            )
        assert seen == [(*here, tempfile.gettempdir())] * 2

    def test_two_on_one_are_refused(self, gpus):
        gpus(2)
        with held(1):
            with pytest.raises(
                RuntimeError, match="test: GPU 1 trains for another worker already"
            ):
                in_a_thread(name_of, "cuda:1")
            assert in_a_thread(name_of, "cuda:0") == "cuda:0"
            # What is asked for by the word alone is what is free.
            assert in_a_thread(name_of, "auto") == "cuda:0"
        assert in_a_thread(name_of, "cuda:1") == "cuda:1"

    def test_all_taken(self, gpus):
        gpus(2)
        with (
            held(0),
            held(1),
            pytest.raises(
                RuntimeError, match="test: all 2 GPUs train for another"
            ) as told,
        ):
            in_a_thread(name_of, "auto")
        assert "set n_jobs=2 or less, or device='cpu'" in str(told.value)

    def test_without_an_index_the_current_one(self, gpus, monkeypatch):
        gpus(3)
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 2)
        assert in_a_thread(name_of, "cuda") == "cuda:2"

    def test_cards_are_told_by_what_they_are(self, gpus, monkeypatch):
        # A worker that sees the second card alone calls it the first.
        gpus(2)
        with held(1):
            monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
            monkeypatch.setattr(
                torch.cuda,
                "get_device_properties",
                lambda index: SimpleNamespace(uuid="card-1"),
            )
            with pytest.raises(RuntimeError, match="GPU 0 trains for another"):
                in_a_thread(name_of, "auto")

    def test_old_torch_without_uuid(self, gpus, monkeypatch, tmp_path):
        gpus(2)
        monkeypatch.setattr(
            torch.cuda, "get_device_properties", lambda index: SimpleNamespace()
        )
        with held(1):
            assert in_a_thread(name_of, "auto") == "cuda:0"
        assert (tmp_path / "hmsklearn-gpu-1.lock").exists()

    def test_every_user_may_take_the_lock(self, gpus, tmp_path):
        gpus(1)
        mask = os.umask(0o077)
        try:
            assert in_a_thread(name_of, "auto") == "cuda:0"
        finally:
            os.umask(mask)
        [lock] = tmp_path.glob("*.lock")
        assert lock.stat().st_mode & 0o777 == 0o666

    def test_lock_of_somebody_else(self, gpus, monkeypatch, tmp_path):
        gpus(2)
        acquire = filelock.FileLock.acquire
        forbidden = {"card-0"}

        def of_another_user(lock, *args, **kwargs):
            if any(card in str(lock.lock_file) for card in forbidden):
                raise PermissionError(13, "Permission denied", lock.lock_file)
            return acquire(lock, *args, **kwargs)

        monkeypatch.setattr(filelock.FileLock, "acquire", of_another_user)
        # The other one is as good.
        assert in_a_thread(name_of, "auto") == "cuda:1"
        with pytest.raises(RuntimeError, match=r"test: no GPU can be taken") as told:
            in_a_thread(name_of, "cuda:0")
        assert str(tmp_path / "hmsklearn-gpu-card-0.lock") in str(told.value)
        assert "another user" in str(told.value)
        assert "TMPDIR" in str(told.value)
        forbidden.add("card-1")
        with pytest.raises(RuntimeError, match="no GPU can be taken"):
            in_a_thread(name_of, "auto")

    def test_no_gpu_no_lock(self, gpus, tmp_path):
        gpus(0)
        assert in_a_thread(name_of, "auto") == "cpu"
        gpus(1)
        assert in_a_thread(name_of, "cpu") == "cpu"
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        ("name", "number"),
        [
            ("LokyProcess-3", 2),
            ("ForkPoolWorker-1", 0),
            ("SpawnProcess-2:4", 3),
            ("Worker", 0),
        ],
    )
    def test_numbers_of_processes(self, monkeypatch, name, number):
        process = SimpleNamespace(name=name)
        monkeypatch.setattr(multiprocessing, "current_process", lambda: process)
        assert _device._worker_number() == number


class TestLetGo:
    def test_after_an_error(self, gpus):
        gpus(1)

        def fail():
            with training_device("auto", caller="test"):
                raise OSError("the disk is full")

        with pytest.raises(OSError, match="the disk is full"):
            in_a_thread(fail)
        assert in_a_thread(name_of, "auto") == "cuda:0"

    @pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
    def test_when_the_process_is_killed(self, gpus, tmp_path):
        gpus(1)
        # A fork sees the same GPUs, and does not import torch again.
        context = multiprocessing.get_context("fork")
        other = context.Process(target=hold_until_killed, args=(tmp_path,))
        other.start()
        try:
            wait_for(tmp_path / "held")
            with pytest.raises(RuntimeError, match="GPU 0 trains for another worker"):
                in_a_thread(name_of, "cuda:0")
        finally:
            os.kill(other.pid, signal.SIGKILL)
            other.join()
        assert in_a_thread(name_of, "cuda:0") == "cuda:0"

    def test_after_fit(self, gpus, monkeypatch, waveform, data):
        # The net itself stays on the CPU: the name is all that a fit is given.
        gpus(1)
        seen = []

        @contextlib.contextmanager
        def on_cpu(device, *, caller):
            with training_device(device, caller=caller) as taken:
                seen.append(taken)
                with pytest.raises(RuntimeError, match="another worker already"):
                    in_a_thread(name_of, "auto")
                gpus(0)
                yield "cpu"
                gpus(1)

        monkeypatch.setattr("hmsklearn.neural._base.training_device", on_cpu)
        clf = waveform(device="auto", max_epochs=1)
        in_a_thread(clf.fit, data.X, data.votes)
        assert seen == ["cuda:0"]
        assert in_a_thread(name_of, "auto") == "cuda:0"


class TestMainProcess:
    def test_takes_no_lock(self, gpus, tmp_path):
        gpus(1)
        assert name_of("auto") == "cuda"
        assert name_of("cuda:0") == "cuda:0"
        assert not list(tmp_path.iterdir())

    def test_is_not_held_up(self, gpus):
        gpus(1)
        with held(0):
            assert name_of("cuda:0") == "cuda:0"


class TestResolveDevice:
    def test_absent(self, gpus):
        gpus(2)
        with pytest.raises(
            RuntimeError, match="test: device='cuda:2' was asked for, but torch finds 2"
        ):
            resolve_device("cuda:2", caller="test")
        gpus(0)
        with pytest.raises(RuntimeError, match="torch finds no CUDA device"):
            resolve_device("cuda", caller="test")

    @pytest.mark.parametrize("device", ["graphics", "cuda:x", None, 1.5])
    def test_not_a_device(self, device):
        with pytest.raises(ValueError, match=r"is not a device\. Give 'auto', 'cpu'"):
            resolve_device(device, caller="test")

    def test_torch_device(self, gpus):
        gpus(2)
        assert resolve_device(torch.device("cuda", 1), caller="test") == "cuda:1"


class TestNamingMemory:
    @pytest.mark.parametrize(
        "error",
        [
            torch.cuda.OutOfMemoryError("CUDA out of memory."),
            RuntimeError("DefaultCPUAllocator: can't allocate memory: 7 bytes."),
        ],
    )
    @pytest.mark.parametrize("batch_size", [48, lambda: 48])
    def test_what_helps(self, error, batch_size):
        with (
            pytest.raises(RuntimeError, match="test: cuda:1 ran out of memory") as told,
            naming_memory("test", batch_size, "cuda:1"),
        ):
            raise error
        text = str(told.value)
        assert "batch_size=48" in text
        assert "grad_checkpointing=True" in text
        assert str(error) in text
        assert told.value.__cause__ is error

    def test_other_errors_pass(self):
        error = RuntimeError("sizes do not match")
        with (
            pytest.raises(RuntimeError) as told,
            naming_memory("test", 1, "cpu"),
        ):
            raise error
        assert told.value is error


def draw_slowly(seed, n=20):
    """Draw in a block of its own, with time for others between the draws."""
    with seeded(seed, "cpu"):
        drawn = []
        for _ in range(n):
            drawn.append(torch.rand(()).item())
            time.sleep(0.001)
    return drawn


class TestSeeds:
    def test_threads_do_not_share_what_is_drawn(self):
        alone = [draw_slowly(seed) for seed in range(4)]
        torch.manual_seed(7)
        before = torch.get_rng_state()
        together = joblib.Parallel(n_jobs=4, backend="threading")(
            joblib.delayed(draw_slowly)(seed) for seed in range(4)
        )
        assert together == alone
        assert torch.equal(torch.get_rng_state(), before)

    def test_blocks_within_one_another(self):
        with seeded(0, "cpu"):
            first = torch.rand(3)
            with seeded(1, "cpu"):
                torch.rand(3)
            second = torch.rand(3)
        with seeded(0, "cpu"):
            assert torch.equal(torch.rand(6), torch.cat([first, second]))

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
    def test_process_that_starts_meanwhile(self):
        ready, done = threading.Event(), threading.Event()

        def hold():
            with seeded(0, "cpu"):
                ready.set()
                done.wait(30)

        thread = threading.Thread(target=hold)
        thread.start()
        assert ready.wait(30)
        context = multiprocessing.get_context("fork")
        with warnings.catch_warnings():
            # Python 3.12 warns of any fork beside threads.
            warnings.simplefilter("ignore", DeprecationWarning)
            process = context.Process(target=draw_slowly, args=(0, 1))
            process.start()
        process.join(20)
        ended = process.exitcode
        done.set()
        thread.join()
        if ended is None:
            process.kill()
        assert ended == 0
