"""Decibels against librosa."""

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.signal import power_to_db
from hmsklearn.signal.decibel import db_floor


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**16),
    decades=st.floats(0, 14),
    ref=st.sampled_from(["max", 1.0, 250.0, 1e-12]),
    amin=st.sampled_from([1e-10, 1e-3]),
    top_db=st.sampled_from([None, 0.0, 20.0, 80.0]),
    dtype=st.sampled_from(["f4", "f8"]),
)
def test_equals_librosa_image_by_image(seed, decades, ref, amin, top_db, dtype):
    librosa = pytest.importorskip("librosa")
    rng = np.random.default_rng(seed)
    power = 10 ** rng.uniform(-decades, decades, (2, 3, 5, 7))
    power[0, 0, 0, :3] = 0
    power = power.astype(dtype)
    result = power_to_db(power, ref=ref, amin=amin, top_db=top_db)
    assert result.dtype == power.dtype
    for where in np.ndindex(2, 3):
        expected = librosa.power_to_db(
            power[where].astype(np.float64),
            ref=np.max if ref == "max" else ref,
            amin=amin,
            top_db=top_db,
        )
        tolerance = 1e-4 if dtype == "f4" else 1e-10
        np.testing.assert_allclose(result[where], expected, rtol=0, atol=tolerance)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**16),
    ref=st.sampled_from(["max", 1.0, 250.0]),
    top_db=st.sampled_from([None, 20.0, 80.0]),
    dtype=st.sampled_from(["f4", "f8"]),
)
def test_equals_librosa_stack_by_stack(seed, ref, top_db, dtype):
    librosa = pytest.importorskip("librosa")
    power = 10 ** np.random.default_rng(seed).uniform(-9, 5, (2, 3, 5, 7))
    power[0, 1] *= 1e-5
    power = power.astype(dtype)
    options = {"ref": ref, "top_db": top_db}
    result = power_to_db(power, per="window", **options)
    tensor = power_to_db(torch.from_numpy(power), per="window", **options)
    options["ref"] = np.max if ref == "max" else ref
    expected = [librosa.power_to_db(one.astype("f8"), **options) for one in power]
    tolerance = 1e-4 if dtype == "f4" else 1e-10
    np.testing.assert_allclose(result, expected, rtol=0, atol=tolerance)
    np.testing.assert_allclose(tensor, expected, rtol=0, atol=tolerance)
    copy = power.copy()
    assert power_to_db(copy, per="window", ref=ref, top_db=top_db, out=copy) is copy
    np.testing.assert_array_equal(copy, result)


def test_equals_torchaudio(rng):
    power = 10 ** rng.uniform(-9, 5, (2, 3, 5, 7))
    power[0, 1] *= 1e-5
    expected = torchaudio.transforms.AmplitudeToDB(top_db=80.0)(torch.tensor(power))
    result = power_to_db(power, ref=1.0, per="window")
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-9)


def test_known_values():
    power = np.array([[1.0, 10.0], [100.0, 0.0]])
    np.testing.assert_allclose(power_to_db(power), [[-20, -10], [0, -80]])
    np.testing.assert_allclose(power_to_db(power, top_db=15.0), [[-15, -10], [0, -15]])
    np.testing.assert_allclose(power_to_db(power, ref=10.0), [[-10, 0], [10, -70]])
    np.testing.assert_allclose(
        power_to_db(power, offset=40, scale=40), [[0.5, 0.75], [1, -1]]
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_loudest_cell_is_exactly_zero(rng, dtype):
    power = rng.gamma(1, 1e5, (20, 4, 9)).astype(dtype)
    assert (power_to_db(power).max(axis=(1, 2)) == 0).all()


def test_silence_is_finite():
    assert (power_to_db(np.zeros((2, 3, 4), dtype=np.float32)) == 0).all()
    np.testing.assert_allclose(power_to_db(np.zeros((3, 4)), ref=1.0), -100)


@settings(deadline=None, max_examples=20)
@given(gain=st.floats(1e-3, 1e3), seed=st.integers(0, 2**16))
def test_gain_does_not_matter_relative_to_the_maximum(gain, seed):
    power = np.random.default_rng(seed).gamma(1, 100, (1, 4, 5))
    np.testing.assert_allclose(
        power_to_db(gain * power), power_to_db(power), rtol=0, atol=1e-9
    )


def test_input_is_kept_and_out_may_be_the_input(rng):
    power = rng.gamma(1, 100, (2, 4, 5))
    power.setflags(write=False)
    expected = power_to_db(power)
    copy = power.copy()
    assert power_to_db(copy, out=copy) is copy
    np.testing.assert_array_equal(copy, expected)


def test_floor():
    assert db_floor(100.0, amin=1e-10, top_db=None) == 1e-10
    assert db_floor(0.0, amin=1e-10, top_db=80.0) == 1e-10
    assert db_floor(100.0, amin=1.0, top_db=80.0) == 1.0
    assert db_floor(100.0, amin=1e-10, top_db=20.0) == pytest.approx(1.0)
