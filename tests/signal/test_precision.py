"""Products in full precision, whatever training asks for."""

import threading

import pytest
import torch

from hmsklearn.signal.precision import full_precision

X = torch.ones(2, 2)


@pytest.fixture(autouse=True)
def restore():
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("before", ["highest", "high", "medium"])
def test_precision_is_raised_and_set_back(before):
    torch.set_float32_matmul_precision(before)
    with full_precision(X):
        assert torch.get_float32_matmul_precision() == "highest"
        with full_precision(X):
            assert torch.get_float32_matmul_precision() == "highest"
        assert torch.get_float32_matmul_precision() == "highest"
    assert torch.get_float32_matmul_precision() == before


def test_precision_is_set_back_after_an_error():
    torch.set_float32_matmul_precision("high")
    with pytest.raises(KeyError), full_precision(X):
        raise KeyError
    assert torch.get_float32_matmul_precision() == "high"


def test_the_last_thread_sets_it_back():
    torch.set_float32_matmul_precision("high")
    inside, leave = threading.Event(), threading.Event()

    def other():
        with full_precision(X):
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(10)
    with full_precision(X):
        pass
    assert torch.get_float32_matmul_precision() == "highest"
    leave.set()
    thread.join()
    assert torch.get_float32_matmul_precision() == "high"


def test_autocast_is_off_inside():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with full_precision(X):
            assert (X @ X).dtype == torch.float32
        assert (X @ X).dtype == torch.bfloat16


def test_torchs_newer_setting():
    """Once it was used, torch raises an error for who asks the old way."""
    matmul = torch.backends.cuda.matmul
    if not hasattr(matmul, "fp32_precision"):
        pytest.skip("this torch has the old setting only")
    before = matmul.fp32_precision
    matmul.fp32_precision = "tf32"
    try:
        with full_precision(X):
            assert matmul.fp32_precision == "ieee"
        assert matmul.fp32_precision == "tf32"
    finally:
        matmul.fp32_precision = before
