"""WaveletScalogramizer."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from hmsklearn.preprocessing import MontageTransformer, NaNImputer
from hmsklearn.signal import (
    morlet_power,
    power_to_levels,
    superlet_power,
    torrence_compo_frequencies,
)
from hmsklearn.spectrogram import WaveletScalogramizer


@pytest.fixture
def long_signals(rng):
    return rng.normal(0, 30, (2, 3, 10_000)).astype(np.float32)


def test_default_size_and_range(long_signals):
    step = WaveletScalogramizer().fit(long_signals)
    images = step.transform(long_signals)
    assert images.shape == (2, 3, 64, 256)
    assert images.dtype == np.float32
    assert images.max() == 0
    assert images.min() >= -80 - 1e-4
    np.testing.assert_allclose(step.frequencies_, np.geomspace(0.5, 20, 64))
    assert step.get_feature_names_out(["a", "b", "c"]).tolist() == ["a", "b", "c"]
    assert len(pickle.dumps(step)) < 3000


def test_is_power_and_levels(long_signals):
    freqs = np.geomspace(0.5, 20, 64)
    power = morlet_power(long_signals, freqs, n_columns=256)
    plain = WaveletScalogramizer(output="linear").fit_transform(long_signals)
    np.testing.assert_array_equal(plain, power)
    levels = {"output": "log", "exponent": 1, "clip": (0.0, 3.0), "scale": 3.0}
    images = WaveletScalogramizer(**levels).fit_transform(long_signals)
    np.testing.assert_array_equal(images, power_to_levels(power, **levels))
    together = WaveletScalogramizer(per="window").fit_transform(long_signals)
    np.testing.assert_array_equal(together, power_to_levels(power, per="window"))
    assert (together.max(axis=(1, 2, 3)) == 0).all()
    superlets = WaveletScalogramizer(
        order=(1, 4.5), n_cycles=2, superlet="additive", output="linear", n_freqs=9
    ).fit_transform(long_signals)
    expected = superlet_power(
        long_signals,
        np.geomspace(0.5, 20, 9),
        order=(1, 4.5),
        n_cycles=2,
        kind="additive",
        n_columns=256,
    )
    np.testing.assert_array_equal(superlets, expected)
    options = {
        "pad_mode": "reflect",
        "zero_mean": True,
        "demean": False,
        "n_cycles": 2.5,
        "scaling": "mne",
        "hop_length": 99,
    }
    images = WaveletScalogramizer(output="linear", **options)
    expected = morlet_power(long_signals, freqs, **options)
    np.testing.assert_array_equal(images.fit_transform(long_signals), expected)


LEARNABLE = torrence_compo_frequencies(10_000, dj=0.081, fmax=50.0)


@pytest.mark.parametrize(
    ("params", "shape"),
    [
        # Published recipes; widths follow from 10,000 samples.
        (
            {"fmax": 40.0, "n_freqs": 40, "n_cycles": 11.755, "hop_length": 16},
            (40, 625),
        ),
        (
            {"freqs": np.arange(0.5, 20, 0.7), "n_cycles": 7, "hop_length": 14},
            (28, 715),
        ),
        ({"freqs": LEARNABLE[LEARNABLE > 0.5], "hop_length": 33}, (82, 304)),
        ({"fmin": 0.5, "fmax": 50.0, "dj": 0.081, "hop_length": 33}, (83, 304)),
        ({"order": (1, 16), "fractional": False, "n_freqs": 20}, (20, 256)),
        ({"spacing": "linear", "n_freqs": 128, "n_columns": 512}, (128, 512)),
    ],
)
def test_sizes(long_signals, params, shape):
    images = WaveletScalogramizer(**params).fit_transform(long_signals[:1, :1])
    assert images.shape == (1, 1, *shape)
    assert np.isfinite(images).all()


def test_recipe_with_mne_on_real_eeg(real_windows):
    mne = pytest.importorskip("mne")
    X = real_windows[::9].copy()
    X[0, 3, 100:900] = np.nan
    clean = make_pipeline(MontageTransformer("double_banana"), NaNImputer())
    step = WaveletScalogramizer(
        freqs=np.arange(0.5, 20, 0.7),
        n_cycles=7,
        hop_length=14,
        scaling="mne",
        demean=False,
        output="log",
        eps=1e-30,
    )
    images = make_pipeline(clean, step).fit_transform(X)
    assert images.shape == (len(X), 18, 28, 715)
    signals = clean.fit_transform(X).astype(np.float64)
    with np.errstate(divide="ignore"):
        expected = np.log(
            mne.time_frequency.tfr_array_morlet(
                signals,
                200.0,
                np.arange(0.5, 20, 0.7),
                n_cycles=7,
                decim=14,
                output="power",
                verbose="error",
            )
        )
    # Their wavelets end at 5 sigma and let the offset through, 1e-11 of its power. And
    # float32 has no logarithm of what MNE gives a silent channel in float64.
    floor = expected.max(axis=(-2, -1), keepdims=True) - np.log(1e7)
    seen = (expected > floor)[..., 60:-60]
    assert seen.mean() > 0.8
    assert np.abs(images - expected)[..., 60:-60][seen].max() < 0.02
    loud = (expected > floor + np.log(1e3))[..., 60:-60]
    assert np.abs(images - expected)[..., 60:-60][loud].max() < 1e-3


def test_learnable_wavelets_before_learning(rng):
    """The trainable transform as it starts: convolution with strides, zeros outside.

    The kernels are the complete Morlet wavelets on ten scales, of energy one.
    """
    x = rng.normal(0, 30, (1, 2, 10_000)).cumsum(axis=-1) / 5
    freqs = LEARNABLE[LEARNABLE > 0.8]
    step = WaveletScalogramizer(
        freqs=freqs,
        hop_length=33,
        scaling="torrence-compo",
        zero_mean=True,
        demean=False,
        output="log",
        exponent=1,
    )
    images = step.fit_transform(x)
    scales = (6 + np.sqrt(38)) / (4 * np.pi * freqs)
    half = int(10 * scales.max() * 200) // 2
    t = np.arange(-half, half + 1) / 200 / scales[:, None]
    kernels = np.exp(-(t**2) / 2) * (np.exp(6j * t) - np.exp(-18)) * np.pi**-0.25
    kernels *= (np.abs(t) <= 5) / np.sqrt(200 * scales[:, None])
    padded = torch.nn.functional.pad(torch.from_numpy(x[0, :, None]), (half, half))
    power = 0.0
    for part in (kernels.real, kernels.imag):
        weights = torch.from_numpy(part.copy())[:, None]
        power += torch.nn.functional.conv1d(padded, weights, stride=33).square()
    expected = np.log(power.sqrt().numpy() + 1e-6)
    assert images.shape == (1, 2, len(freqs), 304)
    # Their kernels end at 5 scales.
    loud = expected > expected.max() - 6
    assert loud.mean() > 0.9
    assert np.abs(images[0] - expected)[loud].max() < 5e-3


def test_frequency_goes_up_with_the_row_and_time_with_the_column():
    t = np.arange(10_000) / 200
    step = WaveletScalogramizer()
    rows = []
    for hertz in (1.0, 5.0, 18.0):
        image = step.fit_transform(np.sin(2 * np.pi * hertz * t)[None, None])[0, 0]
        rows.append(image[:, 128].argmax())
        assert step.frequencies_[rows[-1]] == pytest.approx(hertz, rel=0.05)
    assert rows == sorted(rows)
    burst = np.exp(-((t - 40) ** 2) * 4) * np.sin(2 * np.pi * 5 * t)
    image = step.fit_transform(burst[None, None])[0, 0]
    assert image.max(axis=0).argmax() == round(40 * 200 / 39)


def test_silent_and_constant_channels():
    X = np.zeros((1, 3, 2000), dtype=np.float32)
    X[0, 1] = 1e4
    X[0, 2, 1000] = 1.0
    for order in (None, 2):
        images = WaveletScalogramizer(fmin=2.0, order=order).fit_transform(X)
        assert np.isfinite(images).all()
        assert (images[0, :2] == 0).all()  # 0 dB, as for all images without power
        step = WaveletScalogramizer(fmin=2.0, order=order, output="linear")
        assert (step.fit_transform(X)[0, :2] == 0).all()


def test_tensors(long_signals):
    for params in ({}, {"order": (1, 3), "n_freqs": 6, "hop_length": 100}):
        step = WaveletScalogramizer(**params).fit(long_signals)
        tensor = torch.from_numpy(long_signals).requires_grad_()
        images = step.transform(tensor)
        array = step.transform(long_signals)
        assert images.shape == array.shape
        error = np.abs(images.detach().numpy() - array)
        assert error.max() < 0.1  # dB, in the weakest of cells
        assert np.median(error) < 1e-4
        images.mean().backward()
        assert torch.isfinite(tensor.grad).all()
        assert clone(step).fit(tensor.detach()).transform(tensor.detach()).shape


def test_the_width_stays_when_the_length_changes(long_signals):
    step = WaveletScalogramizer().fit(long_signals)
    assert step.transform(long_signals[..., :7000]).shape == (2, 3, 64, 256)
    by_hop = WaveletScalogramizer(hop_length=40).fit(long_signals)
    assert by_hop.transform(long_signals[..., :7000]).shape == (2, 3, 64, 175)


def test_rows_under_the_cone_of_influence_are_announced(long_signals):
    # sqrt(2) scales from either end meet where the scale is 1.77 s, for 5 s.
    step = WaveletScalogramizer(n_cycles=7)
    with pytest.warns(UserWarning, match=r"at 0.596 Hz and below, windows of 5 s"):
        step.fit(long_signals[..., :1000])
    assert np.isfinite(step.transform(long_signals[..., :1000])).all()
    WaveletScalogramizer(n_cycles=7, fmin=0.64).fit(long_signals[..., :1000])
    wrapped = WaveletScalogramizer(n_cycles=7, pad_mode="wrap", hop_length=10)
    wrapped.fit(long_signals[..., :1000])


def test_nan_names_the_imputer(long_signals):
    long_signals[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match=r"WaveletScalogramizer: .*NaN.*NaNImputer"):
        WaveletScalogramizer().fit(long_signals)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"fmin": 0.0}, "fmin must be .*above 0"),
        ({"fmin": 20.0}, "fmin=20 must be below fmax=20"),
        ({"fmax": 101.0}, "at most the Nyquist frequency .100 Hz., got 101"),
        ({"sfreq": 0}, "sfreq must be .*above 0"),
        ({"n_freqs": 1}, "n_freqs must be an integer at least 2"),
        ({"dj": 0.1, "n_freqs": 30}, "dj=0.1 is a distance"),
        ({"spacing": "mel"}, "spacing must be one of"),
        ({"freqs": [5.0, 3.0]}, "freqs must increase.*Sort them"),
        ({"freqs": [5.0, 5.0]}, "freqs must increase"),
        ({"freqs": [5.0], "n_freqs": 3}, "freqs lists the frequencies.*n_freqs=3"),
        ({"freqs": "alpha"}, "freqs must be a list"),
        ({"omega0": 6.0, "n_cycles": 7}, "both say how wide"),
        ({"n_cycles": 0.1}, "n_cycles must be finite and at least 1"),
        ({"n_cycles": [7, 7]}, "one for each of the 64 frequencies"),
        ({"order": 0}, "order must be .*at least 1"),
        ({"order": 2, "omega0": 6}, "asks for superlets.*omega0=6"),
        ({"order": 2, "scaling": "mne"}, "asks for superlets.*'mne'"),
        ({"order": 2, "superlet": "divisive"}, "superlet must be one of .*'divisive'"),
        ({"superlet": "divisive"}, "superlet must be one of .*'divisive'"),
        ({"superlet": None}, "superlet must be one of"),
        ({"superlet": "additive"}, "superlet='additive' with it. Leave superlet at"),
        ({"fractional": False}, "order=None asks .*fractional=False with it"),
        ({"order": [[1], [2, 3]]}, "order must be a number, or a pair"),
        ({"order": 2, "scaling": ["mne"]}, "scaling must be one of"),
        ({"n_cycles": ["x"] * 64}, "n_cycles must be .* the 64 frequencies.*Give"),
        ({"n_cycles": "x"}, "n_cycles must be .*, got 'x'. Give numbers"),
        ({"n_cycles": [[3], [3, 4]]}, "n_cycles must be .*one number for each"),
        ({"n_cycles": [True] * 64}, "n_cycles must be .*one number for each"),
        ({"n_cycles": [3j] * 64}, "n_cycles must be .*one number for each"),
        ({"freqs": ["5", "6"]}, "freqs must be a list .*Give numbers"),
        ({"freqs": [[5.0], [6.0, 7.0]]}, "freqs must be a list .*Give numbers"),
        ({"freqs": [5.0], "spacing": "linear"}, "lists .*spacing='linear' with it"),
        ({"freqs": [5.0], "spacing": "mel"}, "spacing must be one of"),
        ({"freqs": [5.0], "fmin": 1.0}, "lists .*fmin=1.0 with it. Leave fmin at"),
        ({"freqs": [5.0], "fmax": 9.0, "dj": 0.1}, "fmax=9.0, dj=0.1 with it. Leave"),
        ({"freqs": [5.0], "fmin": np.ones(2)}, "lists the frequencies, got fmin="),
        ({"fractional": 1}, "fractional must be True or False"),
        ({"zero_mean": None}, "zero_mean must be True or False"),
        ({"demean": "mean"}, "demean must be True or False"),
        ({"n_columns": 256, "hop_length": 39}, "both say where the columns"),
        ({"hop_length": 0}, "hop_length must be an integer at least 1"),
        ({"n_columns": 20_000}, "10000 samples.*at least 20000 are needed"),
        ({"scaling": "unit"}, "scaling must be one of"),
        ({"pad_mode": "zero"}, "pad_mode must be one of 'constant', 'reflect', 'wrap'"),
        ({"pad_mode": ["wrap"]}, "pad_mode must be one of"),
        ({"pad_mode": "wrap"}, "multiple of the 39.*Crop the windows to 9984"),
        ({"fmin": 0.01}, "longer than a window of 10000 samples"),
        ({"output": "dB"}, "output must be one of"),
        ({"exponent": 0}, "exponent must be"),
        ({"ref": "mean"}, "ref must be .*Or give 'max'"),
        ({"scale": 0}, "scale must be"),
    ],
)
def test_errors_come_in_fit(long_signals, params, text):
    with pytest.raises(ValueError, match=f"^WaveletScalogramizer: .*{text}"):
        WaveletScalogramizer(**params).fit(long_signals)


def test_defaults_beside_freqs_and_without_order_are_no_contradiction(long_signals):
    step = WaveletScalogramizer(
        freqs=[2.0, 5.0],
        fmin=0.5,
        fmax=20,
        spacing="log",
        superlet="multiplicative",
        fractional=np.bool_(True),
    )
    assert step.fit_transform(long_signals[:1]).shape == (1, 3, 2, 256)


def test_windows_too_short(long_signals):
    with pytest.raises(ValueError, match=r"255 samples.*at least 256.*or a hop_length"):
        WaveletScalogramizer(fmin=5.0).fit(long_signals[..., :255])
    step = WaveletScalogramizer(fmin=5.0).fit(long_signals)
    with pytest.raises(ValueError, match=r"^WaveletScalogramizer: .*255 samples"):
        step.transform(long_signals[..., :255])
    with pytest.raises(ValueError, match=r"longer than a window of 300 samples"):
        WaveletScalogramizer().fit(long_signals[..., :300])
