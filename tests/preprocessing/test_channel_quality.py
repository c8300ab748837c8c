"""ChannelQuality."""

import numpy as np
import pytest
import torch

from hmsklearn.imaging import WindowUnion
from hmsklearn.montage import CH_NAMES, get_montage
from hmsklearn.preprocessing import ChannelQuality, Decimator, MontageTransformer
from hmsklearn.signal import channel_quality


@pytest.fixture
def eeg(rng):
    """Three windows at 40 Hz; in the second, T3 comes off half-way."""
    common = rng.normal(0, 20, (3, 1, 400)).cumsum(axis=-1) / 4
    X = common + rng.normal(0, 8, (3, 20, 400))
    X[1, 5, 200:] += 500 * rng.normal(size=200)
    X[:, 19] = 3000 * rng.normal(size=400)
    return X.astype(np.float32)


@pytest.mark.parametrize("output", ["quality", "mask", "gof"])
def test_is_the_function_without_ekg(eeg, output):
    step = ChannelQuality(output=output, sfreq=40.0).fit(eeg)
    expected = channel_quality(eeg[:, :19], output, half_life=13.0)
    result = step.transform(eeg)
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    assert result.dtype == np.float32
    assert step.electrodes_ == list(CH_NAMES[:19])
    names = [f"given {name}" for name in CH_NAMES]
    assert step.get_feature_names_out(names).tolist() == names[:19]


def test_heartbeat_does_not_matter_unless_it_is_included(eeg):
    other = eeg.copy()
    other[:, 19] = 0
    step = ChannelQuality(sfreq=40.0)
    np.testing.assert_array_equal(step.fit_transform(eeg), step.fit_transform(other))
    everyone = ChannelQuality(exclude=[], sfreq=40.0).fit_transform(eeg)
    assert everyone.shape == (3, 20, 400)
    assert (everyone[:, 19, 100:] < 0.01).all()


def test_excluded_electrodes_are_not_compared(eeg):
    step = ChannelQuality(exclude=["T7", "ECG", "Fp1"], sfreq=40.0).fit(eeg)
    kept = [i for i in range(19) if i not in (0, 5)]
    assert step.electrodes_ == [CH_NAMES[i] for i in kept]
    expected = channel_quality(eeg[:, kept], half_life=13.0)
    np.testing.assert_allclose(step.transform(eeg), expected, rtol=1e-5)
    tensor = step.transform(torch.from_numpy(eeg))
    np.testing.assert_allclose(tensor, expected, rtol=1e-4)


def test_half_life_is_in_seconds(eeg):
    np.testing.assert_array_equal(
        ChannelQuality(sfreq=40.0).fit_transform(eeg),
        ChannelQuality(sfreq=80.0, half_life=0.1625).fit_transform(eeg),
    )


def test_derivations_get_the_product_of_their_electrodes(eeg):
    single = ChannelQuality(sfreq=40.0).fit_transform(eeg)
    step = ChannelQuality("left_right_20", sfreq=40.0).fit(eeg)
    montage = get_montage("left_right_20")
    anodes, cathodes = montage.indices()
    expected = single[:, anodes] * single[:, cathodes]
    np.testing.assert_allclose(step.transform(eeg), expected, rtol=1e-6)
    assert step.get_feature_names_out().tolist() == list(montage.names)
    mask = ChannelQuality("left_right_20", output="mask", sfreq=40.0).fit_transform(eeg)
    both = ChannelQuality(output="mask", sfreq=40.0).fit_transform(eeg) == 1
    np.testing.assert_array_equal(mask, both[:, anodes] & both[:, cathodes])
    assert 0.01 < 1 - mask.mean() < 0.1
    gof = ChannelQuality("left_right_20", output="gof", sfreq=40.0).fit_transform(eeg)
    each = ChannelQuality(output="gof", sfreq=40.0).fit_transform(eeg)
    np.testing.assert_array_equal(gof, np.maximum(each[:, anodes], each[:, cathodes]))


def test_what_is_not_judged_counts_as_good(eeg):
    step = ChannelQuality(["EKG", "T3-EKG", "T3"], sfreq=40.0).fit(eeg)
    ekg, difference, single = step.transform(eeg).transpose(1, 0, 2)
    assert (ekg == 1).all()
    np.testing.assert_array_equal(difference, single)


def test_stacked_next_to_the_signals(eeg):
    """An extra plane for each pair of electrodes."""
    both = WindowUnion(
        [
            ("signal", MontageTransformer("double_banana")),
            ("quality", ChannelQuality("double_banana", sfreq=40.0)),
        ],
        join="planes",
    )
    result = both.fit_transform(eeg)
    assert result.shape == (3, 36, 400)
    np.testing.assert_array_equal(result[:, 0], eeg[:, 0] - eeg[:, 4])
    quality = ChannelQuality("double_banana", sfreq=40.0).fit_transform(eeg)
    np.testing.assert_array_equal(result[:, 18:], quality)


def test_channels_in_another_order_and_by_other_names(eeg, rng):
    order = rng.permutation(20)
    modern = {"T3": "T7", "T4": "T8", "EKG": "ecg"}
    names = [modern.get(CH_NAMES[i], CH_NAMES[i]) for i in order]
    step = ChannelQuality("double_banana", ch_names=names, sfreq=40.0)
    expected = ChannelQuality("double_banana", sfreq=40.0).fit_transform(eeg)
    np.testing.assert_allclose(step.fit_transform(eeg[:, order]), expected, rtol=1e-5)


def test_real_windows(real_windows):
    X = Decimator(5, method="mean").fit_transform(real_windows)
    quality = ChannelQuality(sfreq=40.0).fit_transform(X)
    assert quality.shape == (len(X), 19, 2000)
    assert ((quality > 0) & (quality < 1)).all()
    loose = X.copy()
    loose[:, 12] += 5000 * np.sin(np.arange(2000))
    spoiled = ChannelQuality(sfreq=40.0).fit_transform(loose)
    assert (spoiled[:, 12].mean(axis=-1) < 0.5 * quality[:, 12].mean(axis=-1)).all()


def test_gradient_reaches_the_electrodes(eeg):
    X = torch.from_numpy(eeg).requires_grad_()
    ChannelQuality("double_banana", sfreq=40.0).fit_transform(X).sum().backward()
    assert torch.isfinite(X.grad).all()
    assert (X.grad[:, :19].abs().amax(dim=-1) > 0).all()
    assert (X.grad[:, 19] == 0).all()


def test_nan_names_the_imputer(eeg):
    eeg[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=r"ChannelQuality: X contains NaN.*NaNImputer"):
        ChannelQuality().fit(eeg)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"output": "cqf"}, "output must be one of 'quality', 'mask', 'gof'"),
        ({"montage": "banana"}, "montage 'banana' is not known"),
        ({"montage": ["Fp1-A1"]}, "electrode 'A1' is not among the channels"),
        ({"exclude": ["A1"]}, "electrode 'A1' is not among the channels"),
        ({"exclude": "EKG"}, "exclude must be a list of names, got the text 'EKG'"),
        ({"ch_names": "EKG"}, "ch_names must be a list of names"),
        ({"ch_names": ["Fp1", "Fp2"]}, "20 channels .* ch_names has 2 names"),
        ({"ch_names": ["T3", "T7", *CH_NAMES[:18]]}, "same electrode"),
        ({"half_life": 0}, "half_life must be a finite number above 0"),
        ({"sfreq": -40}, "sfreq must be a finite number above 0"),
        ({"eps": 0}, "eps must be a finite number"),
        ({"threshold": "10"}, "threshold must be a finite number"),
        ({"n_nearest": 0}, "n_nearest must be an integer at least 1 and at most 18"),
        ({"n_nearest": 19}, "n_nearest must .* There are 19 electrodes to compare"),
        ({"n_nearest": 3.0}, "n_nearest must be an integer"),
        ({"exclude": CH_NAMES}, "n_nearest must .* There are 0 electrodes"),
    ],
)
def test_errors_come_in_fit(eeg, params, text):
    with pytest.raises(ValueError, match=f"^ChannelQuality: .*{text}"):
        ChannelQuality(**params).fit(eeg)


def test_names_are_asked_for(eeg):
    with pytest.raises(
        ValueError, match=r"19 channels .* the 20 columns .* Pass ch_nam"
    ):
        ChannelQuality().fit(eeg[:, :19])
