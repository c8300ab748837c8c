"""MontageTransformer."""

import numpy as np
import pytest
import torch
from sklearn.base import clone

from hmsklearn.montage import CH_NAMES, MONTAGES, Montage, get_montage
from hmsklearn.preprocessing import MontageTransformer


@pytest.mark.parametrize("name", MONTAGES)
def test_ready_montages(signals, name):
    montage = MontageTransformer(name).fit(signals)
    result = montage.transform(signals)
    np.testing.assert_allclose(result, MONTAGES[name].matrix() @ signals, atol=1e-4)
    assert result.flags.c_contiguous
    assert result.dtype == np.float32
    assert montage.get_feature_names_out().tolist() == list(MONTAGES[name].names)
    assert montage.get_feature_names_out(CH_NAMES).tolist() == list(
        MONTAGES[name].names
    )
    assert montage.montage_ is MONTAGES[name]


@pytest.mark.parametrize("name", ["double_banana", "3rd", "15th", "referential_ekg"])
def test_differences_and_electrodes_are_bit_for_bit(signals, name):
    result = MontageTransformer(name).fit_transform(signals)
    for i, line in enumerate(get_montage(name).names):
        anode, _, cathode = line.partition("-")
        expected = signals[:, CH_NAMES.index(anode)]
        if cathode:
            expected = expected - signals[:, CH_NAMES.index(cathode)]
        np.testing.assert_array_equal(result[:, i], expected)


def test_default_is_the_double_banana_of_the_competition_columns(signals):
    result = MontageTransformer().fit_transform(signals)
    assert result.shape == (6, 18, 400)
    np.testing.assert_array_equal(result[:, 0], signals[:, 0] - signals[:, 4])


def test_a_montage_by_the_name_of_who_used_it(signals):
    montage = MontageTransformer("3rd").fit(signals)
    assert montage.montage_ is MONTAGES["interleaved_16"]
    assert montage.get_feature_names_out()[:2].tolist() == ["Fp1-F7", "Fp2-F8"]


def test_custom_lines_names_and_aliases(signals):
    lines = [("FP1", "T7"), "P8-O2", ("ECG", "Cz"), "ecg", {"T7": 1, "T8": 0.5}]
    montage = MontageTransformer(lines).fit(signals)
    names = ["Fp1-T3", "T6-O2", "EKG-Cz", "EKG", "1*T3+0.5*T4"]
    assert montage.get_feature_names_out().tolist() == names
    fp1, t3, t4, t6, o2, ekg, cz = (
        signals[:, CH_NAMES.index(name)]
        for name in ("Fp1", "T3", "T4", "T6", "O2", "EKG", "Cz")
    )
    expected = [fp1 - t3, t6 - o2, ekg - cz, ekg, t3 + t4 / 2]
    np.testing.assert_allclose(
        montage.transform(signals), np.stack(expected, 1), rtol=1e-6, atol=1e-5
    )


def test_order_of_channels_is_given_by_name(signals):
    order = np.random.default_rng(0).permutation(len(CH_NAMES))
    names = [f"EEG {CH_NAMES[i].upper()}-REF" for i in order]
    np.testing.assert_array_equal(
        MontageTransformer(ch_names=names).fit_transform(signals[:, order]),
        MontageTransformer().fit_transform(signals),
    )


@pytest.mark.parametrize("name", ["double_banana", "average_reference"])
def test_recordings_without_ekg(signals, name):
    montage = MontageTransformer(name, ch_names=CH_NAMES[:19])
    np.testing.assert_allclose(
        montage.fit_transform(signals[:, :19]),
        MontageTransformer(name).fit_transform(signals),
        atol=1e-5,
    )


def test_a_montage_object(signals):
    mine = Montage("mine", (("C3", "Cz"), ("Cz", "C4")), {"row": (0, 1)})
    montage = clone(MontageTransformer(mine)).fit(signals)
    assert montage.get_feature_names_out().tolist() == ["C3-Cz", "Cz-C4"]


def test_bipolar_after_the_average_is_bipolar(signals):
    average = MontageTransformer("average_reference").fit(signals)
    names = average.get_feature_names_out()
    bipolar = MontageTransformer("double_banana", ch_names=names)
    np.testing.assert_allclose(
        bipolar.fit_transform(average.transform(signals)),
        MontageTransformer().fit_transform(signals),
        atol=1e-4,
    )


def test_images_are_contrasted_with_their_neighbours(rng):
    """Two of the three planes of the 3rd place, which worked on decibels."""
    third = get_montage("3rd")
    images = rng.normal(-20, 5, (2, 16, 8, 9)).astype(np.float32)
    others = MontageTransformer(third.minus_others(), ch_names=third.names)
    near = MontageTransformer(third.minus_neighbours(), ch_names=third.names)
    np.testing.assert_allclose(
        others.fit_transform(images)[:, 0],
        images[:, 0] - images[:, 1:].mean(axis=1),
        atol=1e-4,
    )
    np.testing.assert_allclose(
        near.fit_transform(images)[:, 0],  # Fp1-F7: F7-T3 and, through Fp1, Fp1-F3
        images[:, 0] - images[:, [2, 8]].mean(axis=1),
        atol=1e-4,
    )


def test_nan_stays_where_it_is(signals):
    X = signals.copy()
    X[2, CH_NAMES.index("T3"), 7] = np.nan
    result = MontageTransformer().fit_transform(X)
    names = np.array(MONTAGES["double_banana"].names)
    windows, pairs, times = np.nonzero(np.isnan(result))
    assert set(windows) == {2}
    assert set(times) == {7}
    assert names[pairs].tolist() == ["F7-T3", "T3-T5"]


def test_nan_in_the_ekg_leaves_an_average_alone(signals):
    X = signals.copy()
    X[1, CH_NAMES.index("EKG")] = np.nan
    result = MontageTransformer("average_reference_ekg").fit_transform(X)
    clean = MontageTransformer("average_reference_ekg").fit_transform(signals)
    assert np.isnan(result[1, 19]).all()
    np.testing.assert_array_equal(result[:, :19], clean[:, :19])
    X[0, CH_NAMES.index("O2"), 5] = np.nan
    result = MontageTransformer("average_reference_ekg").fit_transform(X)
    assert np.isnan(result[0, :19, 5]).all()
    np.testing.assert_array_equal(
        np.delete(result[0], 5, axis=1), np.delete(clean[0], 5, axis=1)
    )


@pytest.mark.parametrize("name", ["double_banana_ekg", "average_reference", "15th"])
def test_tensors(signals, name):
    X = torch.from_numpy(signals).requires_grad_()
    montage = MontageTransformer(name)
    result = montage.fit_transform(X)
    np.testing.assert_allclose(
        result.detach().numpy(), montage.fit_transform(signals), atol=1e-4
    )
    result.sum().backward()
    expected = MONTAGES[get_montage(name).name].matrix().sum(axis=0)
    np.testing.assert_allclose(X.grad[0, :, 0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"montage": "double_bananna"}, "not known.*Nearest: double_banana"),
        ({"montage": ["Fp1-F9"]}, "electrode 'F9'.*Nearest"),
        ({"montage": None}, "montage must be a name or a list of pairs"),
        ({"ch_names": CH_NAMES[:19]}, "X has 20 channels .*ch_names has 19 names"),
        ({"ch_names": "Fp1"}, "ch_names must be a list of names"),
        ({"ch_names": ["T3", "T7", *CH_NAMES[2:]]}, "same electrode"),
    ],
)
def test_errors_come_in_fit(signals, params, text):
    with pytest.raises(ValueError, match=f"^MontageTransformer: .*{text}"):
        MontageTransformer(**params).fit(signals)


def test_wrong_number_of_channels_names_the_remedy(signals):
    with pytest.raises(ValueError, match=r"19 channels.*20 columns.*Pass ch_names"):
        MontageTransformer().fit(signals[:, :19])
    with pytest.raises(ValueError, match=r"19 channels.*expecting 20"):
        MontageTransformer().fit(signals).transform(signals[:, :19])
    with pytest.raises(ValueError, match=r"electrode 'EKG' is not among"):
        MontageTransformer("double_banana_ekg", ch_names=CH_NAMES[:19]).fit(
            signals[:, :19]
        )
