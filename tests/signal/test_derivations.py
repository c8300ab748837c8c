"""Pair differences and group means against plain indexing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.montage import CH_NAMES, MONTAGES
from hmsklearn.signal import group_means, pair_differences

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


@pytest.mark.parametrize("name", MONTAGES)
def test_ready_montages_on_real_eeg(name, real_windows):
    anodes, cathodes = MONTAGES[name].indices()
    np.testing.assert_array_equal(
        pair_differences(real_windows, anodes, cathodes),
        real_windows[:, anodes] - real_windows[:, cathodes],
    )


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
