"""State equations, recurrences and blocks: the parts that recursive filters rest on."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, cheby1, ellip, sosfilt, sosfiltfilt

from hmsklearn.signal import butterworth_sos
from hmsklearn.signal.block_matrices import BlockMatrices
from hmsklearn.signal.realisation import cross_gramian, powers, realise
from hmsklearn.signal.scan import Scan
from hmsklearn.signal.statespace import BlockFilter, block_filter

SYSTEMS = {
    "band-pass": butterworth_sos(0.5, 20.0),
    "odd order": butterworth_sos(None, 20.0, order=3),
    "hard": butterworth_sos(0.1, 20.0, order=8),
    "narrow": butterworth_sos(59.0, 61.0, order=8, btype="bandstop"),
    "ripples": cheby1(5, 1, 30, fs=200, output="sos"),
    "zeros elsewhere": ellip(4, 0.5, 50, [3, 30], "band", fs=200, output="sos"),
    "poles at zero": np.array([[1.0, -0.5, 0.25, 1.0, 0.0, 0.0]]),
    "zero at zero": np.array([[0.2, 0.3, 0.0, 1.0, -0.5, 0.0]]),
    "scaled": np.array([[0.4, 0.6, 0.0, 2.0, -1.0, 0.5]]),
    "factor": np.array([[3.0, 0.0, 0.0, 2.0, 0.0, 0.0]]),
}
systems = pytest.mark.parametrize("sos", SYSTEMS.values(), ids=list(SYSTEMS))


def normalised(sos):
    """As SciPy demands: a0 = 1."""
    return sos / sos[:, 3:4]


@systems
def test_equations_have_the_same_response(sos):
    system = realise(sos)
    impulse = np.zeros(3000)
    impulse[0] = 1.0
    expected = sosfilt(normalised(sos), impulse)
    response = powers(system.A, system.B, 2999) @ system.C
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        np.append(system.D, response), expected, rtol=0, atol=1e-12 * scale
    )


@pytest.mark.parametrize("order", [6, 8])
@pytest.mark.parametrize("band", [(0.1, 40.0), (0.16, 85.6), (0.1, 80.9)])
def test_gains_of_wide_band_stops(band, order):
    """One far from what is stopped; the sections' own gains are 1e-5 and 1e3."""
    system = realise(butterworth_sos(*band, order=order, btype="bandstop"))
    at_nyquist = np.linalg.solve(-np.eye(len(system.A)) - system.A, system.B)
    for states in (system.rest, at_nyquist):
        np.testing.assert_allclose(system.D + system.C @ states, 1, atol=1e-10)


def test_sections_in_any_order_are_the_same_filter(rng):
    """Many sections, and poles that occur twice."""
    band = butterworth_sos(0.5, 20.0, order=8)
    sos = np.concatenate([band, butterworth_sos(None, 30.0, order=3), band[:2]])
    x = rng.normal(size=(2, 500))
    expected = sosfilt(sos, x)
    for order in (slice(None), slice(None, None, -1), rng.permutation(len(sos))):
        block = BlockFilter(sos[order], 500, None)
        result = block.run(x, np.empty_like(x), block.scratch(2, x.dtype))
        np.testing.assert_allclose(
            result, expected, rtol=0, atol=1e-10 * np.abs(expected).max()
        )


@systems
def test_states_are_normal(sos):
    A, B, _, _ = realise(sos)
    np.testing.assert_allclose(A @ A.T + np.outer(B, B), np.eye(len(A)), atol=1e-14)


@systems
def test_constants_pass_as_they_should(sos):
    system = realise(sos)
    gain = np.prod(sos[:, :3].sum(axis=1) / sos[:, 3:].sum(axis=1))
    np.testing.assert_allclose(system.D + system.C @ system.rest, gain, atol=1e-12)


@systems
def test_cross_gramian_solves_its_equation(sos):
    system = realise(sos)
    cross = cross_gramian(system)
    again = system.A @ cross @ system.A + np.outer(system.B, system.C)
    np.testing.assert_allclose(cross, again, atol=1e-12 * max(1, np.abs(cross).max()))


@pytest.mark.parametrize(
    ("sos", "text"),
    [
        ([[1, 0, 0, 1, -1, 0]], "unstable"),
        ([[1, 0, 0, 1, -2.1, 1.2]], "unstable"),
        ([[1, 0, 0, 1, -2, 1]], "unstable"),
        ([[1, 0, 0, 1, 0, 1]], "unstable"),
        ([[1, 0, 0, 1, 1 - 1e-7, 0]], "rings for more than 8388608 samples"),
        ([1, 0, 0, 1, 0, 0], r"shape \(n_sections, 6\)"),
        ([[1, 0, 0, 0, 1, 0]], "a0 is not zero"),
        ([[1, 0, 0, 1, 0]], r"shape \(n_sections, 6\)"),
        ([[1, np.nan, 0, 1, 0, 0]], "finite"),
    ],
)
def test_errors(sos, text):
    with pytest.raises(ValueError, match=f"^Name: .*{text}"):
        realise(np.array(sos), caller="Name")


def one_by_one(step, u, backward):
    states = np.zeros_like(u)
    state = np.zeros_like(u[:, 0])
    order = range(u.shape[1])
    for k in reversed(order) if backward else order:
        state = states[:, k] = state @ step + u[:, k]
    return states


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(1, 16),
    n_steps=st.integers(1, 400),
    backward=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_recurrence_is_that_of_a_loop(n, n_steps, backward, seed):
    rng = np.random.default_rng(seed)
    step = 0.9 * np.linalg.qr(rng.normal(size=(n, n)))[0]
    u = rng.normal(size=(3, n_steps, n))
    scan = Scan(step, n_steps, backward=backward)
    slots = np.zeros((3, scan.n_slots, n))
    slots[:, :n_steps] = u
    scratch = scan.scratch(3, u.dtype)
    expected = one_by_one(step, u, backward)
    for _ in range(2):  # nothing is left in the scratch
        states = scan(slots.copy(), scratch)[:, :n_steps]
        np.testing.assert_allclose(states, expected, atol=1e-12)
    tensor = scan.tensor(torch.from_numpy(u))
    np.testing.assert_allclose(tensor.numpy(), expected, atol=1e-12)


@systems
@pytest.mark.parametrize("n_times", [1, 2, 31, 48, 49, 64, 65, 97, 333, 1000])
def test_blocks_are_scipys(rng, sos, n_times):
    x = rng.normal(size=(3, n_times)) + 5
    for padlen in (None, 0, 1, 27, n_times - 1):
        if padlen is None:
            expected = sosfilt(normalised(sos), x)
        elif padlen < n_times:
            expected = sosfiltfilt(normalised(sos), x, padlen=padlen)
        else:
            continue
        block = BlockFilter(sos, n_times, padlen)
        result = block.run(x, np.empty_like(x), block.scratch(3, x.dtype))
        tensor = block.tensor(torch.from_numpy(x)).numpy()
        atol = 1e-10 * max(np.abs(expected).max(), np.abs(x).max())
        np.testing.assert_allclose(result, expected, rtol=0, atol=atol)
        np.testing.assert_allclose(tensor, expected, rtol=0, atol=atol)


def test_block_filters_are_copied_and_pickled(rng):
    x = rng.normal(size=(2, 333))
    block = BlockFilter(SYSTEMS["band-pass"], 333, 27)
    expected = block.run(x, np.empty_like(x), block.scratch(2, x.dtype))
    for other in (copy.deepcopy(block), pickle.loads(pickle.dumps(block))):
        result = other.run(x, np.empty_like(x), other.scratch(2, x.dtype))
        np.testing.assert_array_equal(result, expected)


def test_recordings_of_many_lengths_do_not_pile_up():
    sections = tuple(map(tuple, SYSTEMS["odd order"].tolist()))
    for n_times in range(100, 120):
        block_filter(sections, n_times, 12)
    assert block_filter.cache_info().currsize <= 8


def test_only_filters_that_block_constants_take_off_the_mean():
    for band, centred in [((0.5, 20), True), ((0.5, None), True), ((None, 20), False)]:
        for order in range(1, 9):
            sos = butterworth_sos(*band, order=order)
            assert BlockMatrices(sos, 100, None).centred is centred
    sos = butter(3, [57.5, 62.5], "bandstop", fs=200, output="sos")
    assert not BlockMatrices(sos, 100, None).centred


def test_gradient_is_that_of_the_recursion(rng):
    """In float64, against finite differences."""
    x = torch.from_numpy(rng.normal(size=(2, 130))).requires_grad_()
    for padlen in (27, None):
        block = BlockFilter(SYSTEMS["band-pass"], 130, padlen)
        assert torch.autograd.gradcheck(block.tensor, (x,), fast_mode=True)
