"""Chunks in threads: the same bits, the same errors, no more threads than cores."""

import os
import signal
import threading
import time

import numpy as np
import pytest
import torch
from joblib import Parallel, cpu_count, delayed
from threadpoolctl import threadpool_info

from hmsklearn import _base
from hmsklearn._base import BaseSignalTransformer
from hmsklearn._threads import in_threads
from hmsklearn.spectrogram import MelSpectrogramizer


@pytest.fixture
def torch_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def blas_threads():
    return [
        pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
    ]


@pytest.mark.parametrize("n_threads", [1, 3])
def test_every_item_once(n_threads, torch_threads):
    torch_threads(n_threads)
    seen, names, blas = [], set(), []
    together = threading.Barrier(n_threads)

    def note(item):
        together.wait(timeout=10)  # all the threads are at work at the same time
        seen.append(item)
        names.add(threading.current_thread().name)
        blas.extend(blas_threads())

    before = blas_threads()
    in_threads(note, range(9))
    assert sorted(seen) == list(range(9))
    assert len(names) == n_threads
    assert set(blas) == {1}
    assert blas_threads() == before


@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_first_error_counts(n_threads, torch_threads):
    torch_threads(n_threads)

    def fail(item):
        if item >= 3:
            raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 3"):
        in_threads(fail, range(50))


def test_the_number_of_threads_changes_no_bit(rng, torch_threads, monkeypatch):
    X = rng.normal(0, 30, (9, 3, 2000)).astype(np.float32)
    monkeypatch.setattr(_base, "_CHUNK_BYTES", 2 * X[:1].nbytes)
    results = []
    for n_threads in (1, 2, 4):
        torch_threads(n_threads)
        results.append(MelSpectrogramizer().fit_transform(X))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_nan_is_found_whichever_thread_meets_it(rng, torch_threads, monkeypatch):
    torch_threads(2)
    X = rng.normal(size=(9, 3, 2000)).astype(np.float32)
    X[5, 1, 7] = np.nan
    monkeypatch.setattr(_base, "_CHUNK_BYTES", X[:1].nbytes)
    with pytest.raises(ValueError, match="window 5, channel 1"):
        MelSpectrogramizer().fit_transform(X)


class ThreadCounter(BaseSignalTransformer):
    """Says how many threads its chunks are shared among."""

    def _output_shape(self, X):
        return (1, 2)

    def _transform(self, X, out=None):
        names = [thread.name for thread in threading.enumerate()]
        out[:, 0, 0] = max(1, sum(name.startswith("hmsklearn") for name in names))
        out[:, 0, 1] = max(blas_threads(), default=1)
        return out


def count_threads():
    before = _base._CHUNK_BYTES
    _base._CHUNK_BYTES = 1
    try:
        return ThreadCounter().fit_transform(np.ones((50, 1, 10))).max(axis=0)[0]
    finally:
        _base._CHUNK_BYTES = before  # the worker goes on to other tests


def test_workers_of_joblib_share_the_cores():
    n_jobs = 2
    counts = Parallel(n_jobs=n_jobs, backend="loky")(
        delayed(count_threads)() for _ in range(n_jobs)
    )
    for threads, blas in counts:
        assert threads * n_jobs <= max(n_jobs, cpu_count())
        assert blas == 1


def test_callers_in_several_threads_share_them(torch_threads):
    torch_threads(2)
    running, most, lock = set(), [], threading.Lock()

    def work(item):
        with lock:
            running.add(threading.get_ident())
            most.append(len(running))
        time.sleep(0.01)
        with lock:
            running.discard(threading.get_ident())

    Parallel(n_jobs=4, backend="threading")(
        delayed(in_threads)(work, range(5)) for _ in range(4)
    )
    assert len(most) == 20
    assert max(most) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_starts_threads_of_its_own(torch_threads):
    torch_threads(2)
    in_threads(lambda item: None, range(4))
    child = os.fork()
    if child == 0:
        seen = []
        in_threads(seen.append, range(4))
        os._exit(0 if sorted(seen) == [0, 1, 2, 3] else 1)
    for _ in range(1000):
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            break
        time.sleep(0.01)
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        pytest.fail("the forked process hangs")
    assert os.waitstatus_to_exitcode(status) == 0
