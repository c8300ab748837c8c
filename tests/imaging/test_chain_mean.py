"""ChainMean."""

import numpy as np
import pytest
import torch

from hmsklearn.imaging import ChainMean
from hmsklearn.montage import MONTAGES, Montage, get_montage


@pytest.fixture
def images(rng):
    return rng.normal(size=(3, 18, 8, 9)).astype(np.float32)


def test_images_by_name(images):
    step = ChainMean().fit(images)
    result = step.transform(images)
    assert result.shape == (3, 4, 8, 9)
    assert result.dtype == np.float32
    names = MONTAGES["double_banana"].names
    left = [names.index(n) for n in ("Fp1-F3", "F3-C3", "C3-P3", "P3-O1")]
    np.testing.assert_allclose(
        result[:, 2], images[:, left].mean(axis=1), rtol=1e-5, atol=1e-6
    )
    assert step.get_feature_names_out().tolist() == ["LL", "RL", "LP", "RP"]
    assert step.chains_ == ("LL", "RL", "LP", "RP")


@pytest.mark.parametrize("montage", MONTAGES)
def test_signals_of_every_montage(rng, montage):
    chains = list(MONTAGES[montage].chains)
    X = rng.normal(size=(2, len(MONTAGES[montage]), 50))
    result = ChainMean(montage, chains).fit_transform(X)
    for k, chain in enumerate(chains):
        members = list(MONTAGES[montage].chains[chain])
        np.testing.assert_allclose(result[:, k], X[:, members].mean(axis=1), atol=1e-12)


def test_all_chains_of_the_montage(rng):
    X = rng.normal(size=(2, 24, 5))
    step = ChainMean("5th_double", None).fit(X)
    assert step.chains_ == ("LL", "LP", "LZ", "RL", "RP", "RZ")
    np.testing.assert_allclose(
        step.transform(X)[:, 2], X[:, 8:12].mean(axis=1), atol=1e-12
    )


@pytest.mark.parametrize("montage", ["double_banana", "3rd", "15th"])
def test_tensors(rng, montage):
    X = rng.normal(size=(2, len(get_montage(montage)), 5, 6))
    tensor = torch.from_numpy(X).requires_grad_()
    result = ChainMean(montage).fit_transform(tensor)
    np.testing.assert_allclose(
        result.detach().numpy(), ChainMean(montage).fit_transform(X), atol=1e-12
    )
    result.sum().backward()
    members = [
        i for c in ("LL", "RL", "LP", "RP") for i in get_montage(montage).chains[c]
    ]
    expected = np.zeros(X.shape[1])
    expected[members] = 0.25
    np.testing.assert_allclose(tensor.grad[0, :, 0, 0].numpy(), expected)


def test_order_and_choice_of_chains(images):
    all_four = ChainMean().fit_transform(images)
    result = ChainMean(chains=["RP", "LL"]).fit_transform(images)
    np.testing.assert_array_equal(result, all_four[:, [3, 0]])
    midline = ChainMean(chains=("Z",)).fit(images)
    np.testing.assert_allclose(
        midline.transform(images)[:, 0], images[:, 16:].mean(axis=1), atol=1e-6
    )


def test_own_chains(rng):
    mine = Montage(
        "mine",
        (("C3", "Cz"), ("Cz", "C4"), ("T3", "C3")),
        {"row": (2, 0), "rest": (1,)},
    )
    X = rng.normal(size=(2, 3, 5))
    result = ChainMean(mine, ["row", "rest"]).fit_transform(X)
    np.testing.assert_allclose(result[:, 0], (X[:, 0] + X[:, 2]) / 2)
    np.testing.assert_array_equal(result[:, 1], X[:, 1])


def test_nan_stays_in_its_chain(images):
    images[0, 5, 2, 3] = np.nan  # F8-T4, right lateral
    result = ChainMean().fit_transform(images)
    assert np.argwhere(np.isnan(result)).tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"chains": ("LL", "LR")}, "no chain 'LR'. It has LL, RL, LP, RP, Z.*Nearest"),
        ({"chains": ("ll",)}, "no chain 'll'.*Nearest: LL"),
        ({"chains": "LL"}, "chains must be a list of names"),
        ({"chains": ()}, "chains must be a list of names"),
        ({"chains": 5}, "chains must be a list of names .*got 5"),
        ({"chains": [["LL"]]}, "no chain .'LL'."),
        ({"montage": "double_banana_16"}, "X has 18 channels .*16 derivations"),
        ({"montage": ["Fp1-F7"]}, "names no chains"),
        ({"montage": ["Fp1-F7"], "chains": None}, "names no chains"),
        ({"montage": "left_10"}, "'left_10' has no chain 'RL'.*has LL, LP, Z"),
        ({"montage": "banana"}, "montage 'banana' is not known"),
    ],
)
def test_errors_come_in_fit(images, params, text):
    with pytest.raises(ValueError, match=f"^ChainMean: .*{text}"):
        ChainMean(**params).fit(images)


def test_wrong_number_of_axes(images):
    with pytest.raises(ValueError, match=r"ChainMean: X has 2 dimensions"):
        ChainMean().fit(images[0, 0])
