"""Differences, weighted sums and group means against plain NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.montage import CH_NAMES, MONTAGES
from hmsklearn.signal import derive, group_means, pair_differences
from hmsklearn.signal._channel_plan import make_runs

pairs = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=20
)


@settings(deadline=None, max_examples=60)
@given(pairs=pairs, seed=st.integers(0, 2**16), dtype=st.sampled_from(["f4", "f8"]))
def test_differences_are_those_of_indexing_bit_for_bit(pairs, seed, dtype):
    X = np.random.default_rng(seed).normal(0, 50, (3, 8, 11)).astype(dtype)
    anodes, cathodes = map(list, zip(*pairs, strict=True))
    result = pair_differences(X, anodes, cathodes)
    np.testing.assert_array_equal(result, X[:, anodes] - X[:, cathodes])
    assert result.dtype == X.dtype
    assert result.flags.c_contiguous


BIPOLAR = [
    name
    for name, montage in MONTAGES.items()
    if all(derivation.pair for derivation in montage.derivations)
]


@pytest.mark.parametrize("name", BIPOLAR)
def test_bipolar_montages_on_real_eeg(name, real_windows):
    anodes, cathodes = MONTAGES[name].indices()
    expected = real_windows[:, anodes] - real_windows[:, cathodes]
    np.testing.assert_array_equal(
        pair_differences(real_windows, anodes, cathodes), expected
    )
    np.testing.assert_array_equal(
        derive(real_windows, MONTAGES[name].matrix()), expected
    )


@pytest.mark.parametrize("name", BIPOLAR)
@pytest.mark.parametrize("n_times", [3, 700])
def test_runs_of_short_windows_and_of_one(name, n_times, rng):
    """Whatever the block, whatever the step of a run, forwards, backwards or none."""
    X = rng.normal(size=(40, 20, n_times)).astype(np.float32)
    anodes, cathodes = MONTAGES[name].indices()
    expected = X[:, anodes] - X[:, cathodes]
    np.testing.assert_array_equal(pair_differences(X, anodes, cathodes), expected)
    for window in (0, 39):
        alone = pair_differences(X[window : window + 1], anodes, cathodes)
        np.testing.assert_array_equal(alone[0], expected[window])


def test_pairs_that_advance_in_step_are_one_run():
    anodes, cathodes = MONTAGES["double_banana"].indices()
    runs = make_runs(tuple(enumerate(zip(anodes, cathodes, strict=True))))
    assert len(runs) == 7
    rows = sorted(row for run in runs for row in range(18)[run.out])
    assert rows == list(range(18))
    by_turns = make_runs(((0, (0, 4)), (1, (9, 3)), (2, (4, 5)), (4, (8, 6))))
    assert sorted((run.out.start, run.out.step) for run in by_turns) == [
        *((0, 2), (1, None))
    ]
    backwards = make_runs(((0, (2, 1)), (1, (1, 0)), (2, (0, -1))))
    assert len(backwards) == 1
    assert make_runs(()) == ()


def test_nan_spoils_only_the_pairs_that_use_the_electrode(signals):
    montage = MONTAGES["double_banana"]
    for electrode in ("EKG", "C3"):
        X = signals.copy()
        X[:, CH_NAMES.index(electrode)] = np.nan
        spoilt = np.isnan(pair_differences(X, *montage.indices())).all(axis=(0, 2))
        assert spoilt.tolist() == [electrode in pair for pair in montage.pairs]


def test_writes_into_out_and_not_into_the_input(signals):
    signals.setflags(write=False)
    out = np.full((6, 2, 400), np.nan, dtype=np.float32)
    assert pair_differences(signals, [1, 2], [2, 3], out=out) is out
    np.testing.assert_array_equal(out, signals[:, 1:3] - signals[:, 2:4])
    strided = signals[:, ::-1, ::2]
    np.testing.assert_array_equal(
        pair_differences(strided, [1, 2], [2, 3]), strided[:, 1:3] - strided[:, 2:4]
    )


def test_images_have_derivations_too(rng):
    X = rng.normal(size=(2, 4, 5, 6))
    np.testing.assert_array_equal(
        pair_differences(X, [3], [0])[:, 0], X[:, 3] - X[:, 0]
    )


def test_positions_that_do_not_exist_are_errors(signals):
    for position in (20, 25, -21):
        with pytest.raises(IndexError):
            pair_differences(signals, [0, position], [1, 2])


def test_tensors_have_positions_too():
    X = torch.arange(6.0).reshape(1, 6, 1)
    assert pair_differences(X, [5, 4], [0, -6]).flatten().tolist() == [5, 4]
    assert group_means(X, [(0, 5), (-1,)]).flatten().tolist() == [2.5, 5]
    assert pair_differences(X, [], []).shape == (1, 0, 1)
    for function in (
        lambda: pair_differences(X, [6], [0]),
        lambda: group_means(X, [(0, 6)]),
    ):
        with pytest.raises(IndexError):
            function()


def test_a_tensor_is_never_handed_back_as_a_view():
    X = torch.zeros(2, 4, 5)
    for result in (
        derive(X, np.eye(4)),
        derive(X, np.eye(4)[1:3]),
        pair_differences(X, [1], [0]),
        group_means(X, [(1,), (2,)]),
    ):
        result += 1
    assert not X.any()


def test_numbers_of_anodes_and_cathodes_differ():
    with pytest.raises(ValueError, match=r"2 anodes and 1 cathodes make no pairs"):
        pair_differences(np.zeros((1, 3, 4)), [0, 1], [2])


matrices = st.lists(
    st.lists(
        st.sampled_from([0.0, 0.0, 0.0, 1.0, -1.0, 0.5, -1 / 3]), min_size=6, max_size=6
    ).filter(any),
    min_size=1,
    max_size=9,
).map(np.array)


@settings(deadline=None, max_examples=25)
@given(matrix=matrices, seed=st.integers(0, 2**16), images=st.booleans())
def test_sums_are_those_of_a_matrix_product(matrix, seed, images):
    shape = (3, 6, 4, 5) if images else (3, 6, 20)
    X = np.random.default_rng(seed).normal(0, 50, shape)
    expected = np.einsum("dc,nc...->nd...", matrix, X)
    np.testing.assert_allclose(derive(X, matrix), expected, atol=1e-11)
    single = derive(X.astype(np.float32), matrix)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, atol=1e-4)
    tensor = derive(torch.from_numpy(X), matrix)
    np.testing.assert_allclose(tensor.numpy(), expected, atol=1e-11)


@settings(deadline=None, max_examples=25)
@given(matrix=matrices, seed=st.integers(0, 2**16), factor=st.floats(-3, 3))
def test_sums_are_linear(matrix, seed, factor):
    X, Y = np.random.default_rng(seed).normal(0, 50, (2, 3, 6, 20))
    np.testing.assert_allclose(
        derive(X + factor * Y, matrix),
        derive(X, matrix) + factor * derive(Y, matrix),
        atol=1e-10,
    )


@settings(deadline=None, max_examples=25)
@given(
    matrix=matrices,
    channel=st.integers(0, 5),
    time=st.integers(0, 19),
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
)
def test_what_is_not_finite_stays_where_it_is_used(matrix, channel, time, bad):
    clean = np.random.default_rng(0).normal(0, 50, (3, 6, 20)).astype(np.float32)
    X = clean.copy()
    X[1, channel, time] = bad
    expected = derive(clean, matrix)
    spoilt = np.zeros(expected.shape, dtype=bool)
    spoilt[1, matrix[:, channel] != 0, time] = True
    result = derive(X, matrix)
    np.testing.assert_array_equal(~np.isfinite(result), spoilt)
    np.testing.assert_array_equal(result[~spoilt], expected[~spoilt])
    tensor = derive(torch.from_numpy(X), matrix)
    np.testing.assert_array_equal(~np.isfinite(tensor.numpy()), spoilt)


def test_sums_of_anything_contiguous_or_not(signals):
    matrix = MONTAGES["average_reference_ekg"].matrix()
    signals.setflags(write=False)
    strided = signals[::2, :, ::3]
    expected = matrix @ strided.astype(np.float64)
    np.testing.assert_allclose(derive(strided, matrix), expected, atol=1e-4)
    out = np.full((3, 20, 268), np.nan, dtype=np.float32)[..., ::2]
    assert derive(strided, matrix, out=out) is out
    np.testing.assert_allclose(out, expected, atol=1e-4)
    mixed = np.concatenate(
        [matrix[:2], MONTAGES["double_banana"].matrix()[:1], matrix[4:6]]
    )
    np.testing.assert_allclose(derive(signals, mixed), mixed @ signals, atol=1e-4)


def test_huge_values_are_not_taken_for_missing_ones():
    X = np.full((1, 3, 4), 1e30, dtype=np.float32)
    result = derive(X, np.array([[1.0, 1.0, 1.0]]))
    np.testing.assert_allclose(result, 3e30, rtol=1e-6)


@pytest.mark.parametrize(
    ("matrix", "text"),
    [
        (np.ones((2, 3)), r"matrix has shape \(2, 3\), expected \(n_derivations, 4\)"),
        (np.ones(4), r"matrix has shape \(4,\)"),
        (np.zeros((1, 4)), "no row of zeros"),
        (np.full((1, 4), np.nan), "finite weights"),
    ],
)
def test_unusable_matrices(matrix, text):
    for X in (np.zeros((1, 4, 5)), torch.zeros(1, 4, 5)):
        with pytest.raises(ValueError, match=f"^derive: .*{text}"):
            derive(X, matrix)


def test_out_is_for_arrays():
    X = torch.zeros(1, 4, 5)
    for call in (
        lambda: derive(X, np.eye(4), out=X),
        lambda: pair_differences(X, [0], [1], out=X),
        lambda: group_means(X, [(0,)], out=X),
    ):
        with pytest.raises(ValueError, match="out= is for NumPy arrays"):
            call()


def test_an_empty_group_has_no_mean():
    with pytest.raises(ValueError, match="a group has no members"):
        group_means(np.zeros((1, 4, 5)), [(0,), ()])


@settings(deadline=None, max_examples=30)
@given(
    groups=st.lists(
        st.lists(st.integers(0, 5), min_size=1, max_size=6), min_size=1, max_size=5
    ),
    seed=st.integers(0, 2**16),
    images=st.booleans(),
)
def test_means_are_those_of_numpy(groups, seed, images):
    shape = (2, 6, 3, 4) if images else (2, 6, 9)
    X = np.random.default_rng(seed).normal(0, 50, shape)
    expected = np.stack([X[:, members].mean(axis=1) for members in groups], axis=1)
    np.testing.assert_allclose(group_means(X, groups), expected, rtol=1e-12, atol=1e-12)
    single = group_means(X.astype(np.float32), groups)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, atol=1e-4)


def test_means_keep_the_input_and_spread_nan_within_the_group(rng):
    X = rng.normal(size=(1, 4, 3))
    X[0, 1, 2] = np.nan
    X.setflags(write=False)
    out = np.empty((1, 2, 3))
    assert group_means(X, [(0, 1), (2, 3)], out=out) is out
    assert np.isnan(out).tolist() == [[[False, False, True], [False, False, False]]]


def test_the_sum_of_a_chain_telescopes(signals):
    """Why images are averaged and not signals."""
    montage = MONTAGES["double_banana"]
    bipolar = pair_differences(signals, *montage.indices())
    mean = group_means(bipolar, [montage.chains["LL"]])[:, 0]
    ends = signals[:, CH_NAMES.index("Fp1")] - signals[:, CH_NAMES.index("O1")]
    np.testing.assert_allclose(mean, ends / 4, atol=1e-4)
