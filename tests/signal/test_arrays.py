"""One constant for every type and device; which module computes."""

import copy
import pickle

import numpy as np
import pytest
import torch

from hmsklearn.signal.arrays import (
    Constant,
    as_float,
    empty,
    is_tensor,
    namespace,
    refuse_out,
)

BOTH = [np.ones((2, 3), dtype=np.float32), torch.ones(2, 3)]


def test_constant_follows_the_data():
    constant = Constant([[1, 2], [3, 1 / 3]])
    for dtype in (np.float32, np.float64):
        array = constant.like(np.zeros(1, dtype=dtype))
        assert array.dtype == dtype
        np.testing.assert_array_equal(array, constant.value.astype(dtype))
        tensor = constant.like(torch.zeros(1, dtype=getattr(torch, dtype.__name__)))
        np.testing.assert_array_equal(tensor.numpy(), array)
    assert constant.like(np.zeros(1, dtype=np.complex64)).dtype == np.float32
    assert constant.like(torch.zeros(1, dtype=torch.complex128)).dtype == torch.float64


def test_constant_is_copied_once_and_not_shared_with_its_source():
    source = np.array([1.0, 2.0])
    constant = Constant(source)
    source[0] = 7
    assert constant.value.tolist() == [1, 2]
    for like in BOTH:
        assert constant.like(like) is constant.like(like)
    with pytest.raises(ValueError, match="read-only"):
        constant.like(BOTH[0])[0] = 3


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))]
)
def test_constant_travels_without_its_copies(duplicate):
    constant = Constant(np.arange(1000.0))
    before = len(pickle.dumps(constant))
    constant.like(BOTH[1])
    assert len(pickle.dumps(constant)) == before
    other = duplicate(constant)
    np.testing.assert_array_equal(other.value, constant.value)
    assert other.like(BOTH[0]).dtype == np.float32


def test_constant_first_used_in_inference_can_be_trained_through():
    constant = Constant([2.0])
    x = torch.ones(1, requires_grad=True)
    with torch.inference_mode():
        constant.like(x)
    (constant.like(x) * x).sum().backward()
    assert x.grad.item() == 2


def test_kinds():
    array, tensor = BOTH
    assert (is_tensor(array), is_tensor(tensor)) == (False, True)
    assert (namespace(array), namespace(tensor)) == (np, torch)
    assert empty(array, (4,)).dtype == np.float32
    assert empty(tensor, (4,)).shape == (4,)
    refuse_out(array, array, "me")
    refuse_out(tensor, None, "me")
    with pytest.raises(ValueError, match=r"me: out= is for NumPy arrays"):
        refuse_out(tensor, tensor, "me")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_pass_as_they_are(dtype):
    X = np.arange(6, dtype=dtype).reshape(2, 3).T
    assert as_float(X, "me") is X
    X = torch.ones(2, dtype=getattr(torch, dtype), requires_grad=True)
    assert as_float(X, "me") is X


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_order_of_bytes_becomes_the_machines(dtype):
    X = np.arange(6, dtype=dtype).reshape(2, 3).T
    result = as_float(X.astype(X.dtype.newbyteorder()), "me")
    assert result.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(result, X)


@pytest.mark.parametrize(
    "dtype", ["bool", "int8", "uint8", "int16", ">i2", "int64", "float16", "longdouble"]
)
def test_other_numbers_become_single_precision(dtype):
    X = np.array([[0, 1], [1, 0]]).astype(dtype)
    result = as_float(X, "me")
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, [[0, 1], [1, 0]])


@pytest.mark.parametrize("X", [[1.0], (1, 2), 3.0, None, "text", np.float32(3)])
def test_neither_array_nor_tensor(X):
    name = type(X).__name__
    with pytest.raises(ValueError, match=rf"^me: .*got {name}\. .*numpy\.asarray"):
        as_float(X, "me")


@pytest.mark.parametrize(
    ("X", "text"),
    [
        (torch.ones(2, dtype=torch.int16), r"got torch.int16\. .*\.float\(\)"),
        (torch.ones(2).half(), r"got torch.float16\. .*\.float\(\)"),
        (torch.ones(2).bfloat16(), "got torch.bfloat16"),
        (torch.ones(2, dtype=torch.complex64), "got torch.complex64"),
        (np.ones(2, dtype=complex), r"got complex128\. .*\.astype\('float32'\)"),
        (np.array(["a"]), "got <U1"),
        (np.array([None]), "got object"),
        (np.array(["2024"], dtype="M8"), "got datetime64"),
    ],
)
def test_nothing_to_compute_in(X, text):
    with pytest.raises(ValueError, match=f"^me: .*{text}"):
        as_float(X, "me")
