"""The number of BLAS threads does not change a bit of any signal operation."""

import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from hmsklearn.signal.blas import one_blas_thread
from hmsklearn.signal.host_spectrogram import host_spectrogram
from hmsklearn.signal.mel import mel_decibels, mel_spectrogram


def blas_threads():
    return {
        pool["num_threads"]
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and "numpy" in pool["filepath"]
    }


@pytest.fixture(autouse=True)
def several_threads():
    with threadpool_limits(2, user_api="blas"):
        if blas_threads() != {2}:
            pytest.skip("the BLAS of this NumPy has one thread")
        yield


def test_block_and_decorator_limit_and_restore():
    @one_blas_thread()
    def inside():
        return blas_threads()

    with one_blas_thread():
        assert blas_threads() == {1}
    assert inside() == {1}
    assert blas_threads() == {2}


@pytest.mark.parametrize("first_out", ["main", "other"])
def test_overlapping_blocks_of_two_threads_restore_the_number(first_out):
    inside, leave = threading.Event(), threading.Event()

    def other():
        with one_blas_thread():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with one_blas_thread():
        thread.start()
        assert inside.wait(10)
        assert blas_threads() == {1}
        if first_out == "other":
            leave.set()
            thread.join()
            assert blas_threads() == {1}  # the main thread is still in its block
    leave.set()
    thread.join()
    assert blas_threads() == {2}


def test_blocks_may_be_nested():
    with one_blas_thread():
        with one_blas_thread():
            pass
        assert blas_threads() == {1}
    assert blas_threads() == {2}


@pytest.mark.parametrize(
    "function",
    [
        lambda X: mel_spectrogram(X[:, :2, :2000], hop_length=15),
        lambda X: mel_decibels(X[:, :2, :2000], hop_length=15),
        host_spectrogram,
    ],
    ids=["mel_spectrogram", "mel_decibels", "host_spectrogram"],
)
def test_bits_do_not_depend_on_blas_threads(function):
    X = np.random.default_rng(0).normal(0, 30, (2, 20, 10_000)).astype(np.float32)
    several = function(X)
    with threadpool_limits(1, user_api="blas"):
        one = function(X)
    np.testing.assert_array_equal(several, one)
