"""MelSpectrogramizer."""

import pickle
import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch
import torchaudio
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from hmsklearn.imaging import ChainMean
from hmsklearn.montage import CH_NAMES, get_montage
from hmsklearn.preprocessing import MontageTransformer, NaNImputer
from hmsklearn.spectrogram import MelSpectrogramizer


@pytest.fixture
def long_signals(rng):
    return rng.normal(0, 30, (2, 3, 10_000)).astype(np.float32)


def test_default_size_and_range(long_signals):
    mel = MelSpectrogramizer().fit(long_signals)
    images = mel.transform(long_signals)
    assert images.shape == (2, 3, 128, 256)
    assert images.dtype == np.float32
    assert images.min() >= -1 - 1e-6
    # The loudest of 257 columns may be the one that is cut off.
    assert images.max() == pytest.approx(1)
    assert mel.hop_length_ == 39
    assert mel.get_feature_names_out(["a", "b", "c"]).tolist() == ["a", "b", "c"]


def notebook(eeg):
    """The public notebook's function, channel by channel, as its users wrote it."""
    librosa = pytest.importorskip("librosa")
    chains = [
        ("Fp1", "F7", "T3", "T5", "O1"),
        ("Fp2", "F8", "T4", "T6", "O2"),
        ("Fp1", "F3", "C3", "P3", "O1"),
        ("Fp2", "F4", "C4", "P4", "O2"),
    ]
    image = np.zeros((4, 128, 256))
    for k, chain in enumerate(chains):
        for a, b in pairwise(chain):
            x = eeg[CH_NAMES.index(a)] - eeg[CH_NAMES.index(b)]
            x = x.astype(np.float64)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)
                mean = np.nanmean(x)
            x = np.nan_to_num(x, nan=mean) if np.isnan(x).mean() < 1 else x * 0
            power = librosa.feature.melspectrogram(
                y=x,
                sr=200,
                hop_length=len(x) // 256,
                n_fft=1024,
                n_mels=128,
                fmin=0,
                fmax=20,
                win_length=128,
            )
            width = (power.shape[1] // 32) * 32
            decibel = librosa.power_to_db(power, ref=np.max)[:, :width]
            image[k] += (decibel + 40) / 40
        image[k] /= 4
    return image


def test_recipe_of_the_public_notebook_on_real_eeg(real_windows):
    X = real_windows[::5].copy()
    X[0, 3, 100:900] = np.nan
    pipe = make_pipeline(
        MontageTransformer("double_banana"),
        NaNImputer(),
        MelSpectrogramizer(),
        ChainMean(chains=["LL", "RL", "LP", "RP"]),
    )
    images = pipe.fit_transform(X)
    assert images.shape == (len(X), 4, 128, 256)
    expected = np.stack([notebook(eeg) for eeg in X])
    assert np.abs(images - expected).max() * 40 < 5e-3


@pytest.mark.parametrize(
    ("params", "n_times", "shape"),
    [
        # Output sizes of published recipes that use this transform.
        ({}, 10_000, (128, 256)),
        ({"fmin": 0.53, "fmax": 40.0, "width_multiple": 1}, 10_000, (128, 257)),
        (
            {
                "n_fft": 512,
                "n_mels": 64,
                "fmin": 0.53,
                "fmax": 30.0,
                "hop_length": 32,
                "width_multiple": 1,
            },
            10_000,
            (64, 313),
        ),
        ({"hop_length": 64, "width_multiple": 1}, 10_000, (128, 157)),
        ({"hop_length": 33, "width_multiple": 1}, 10_000, (128, 304)),
        # 3rd place: views of 2,800 and 2,400 samples around the centre.
        *(
            (
                {
                    "n_fft": 2048,
                    "win_length": win_length,
                    "hop_length": win_length // 4,
                    "n_mels": 64,
                    "fmin": 0.53,
                    "fmax": 30.0,
                    "top_db": 100.0,
                    "width_multiple": 1,
                },
                n_times,
                (64, n_times * 4 // win_length + 1),
            )
            for win_length, n_times in [(32, 2800), (16, 2400), (8, 2400)]
        ),
        # 4th place: 96 x 192 out of 50, 40 and 30 s, 64 x 128 out of 50 s.
        *(
            (
                {
                    "n_fft": 1024 * height // 128,
                    "n_mels": height,
                    "hop_length": seconds * 200 // width,
                    "fmin": 0.5,
                    "fmax": 30.0,
                },
                seconds * 200,
                (height, width),
            )
            for height, width, seconds in [
                (96, 192, 50),
                (96, 192, 40),
                (96, 192, 30),
                (64, 128, 50),
            ]
        ),
        ({"win_length": 256, "fmin": 0.1, "fmax": 40.0}, 10_000, (128, 256)),
        # Three ranges of frequency at once, as logarithms.
        *(
            (
                {
                    "fmin": fmin,
                    "fmax": fmax,
                    "hop_length": 33,
                    "output": "log",
                    "width_multiple": 1,
                },
                10_000,
                (128, 304),
            )
            for fmin, fmax in [(0.0, 100.0), (0.5, 20.0), (0.0, 30.0)]
        ),
        ({"width_multiple": 1}, 2000, (128, 286)),
        ({}, 256, (128, 256)),
    ],
)
def test_sizes(rng, params, n_times, shape):
    X = rng.normal(0, 30, (1, 1, n_times)).astype(np.float32)
    assert MelSpectrogramizer(**params).fit_transform(X).shape == (1, 1, *shape)


def by_torchaudio(X, top_db, sfreq=200, **kwargs):
    """The recipe of who uses torchaudio: a stack of channels at a time."""
    mel = torchaudio.transforms.MelSpectrogram(sfreq, **kwargs).double()
    decibel = torchaudio.transforms.AmplitudeToDB(top_db=top_db)
    return torch.stack([decibel(mel(torch.from_numpy(x).double())) for x in X]).numpy()


TORCHAUDIO = {
    "mel_scale": "htk",
    "norm": None,
    "pad_mode": "reflect",
    "ref": 1.0,
    "per": "window",
    "offset": 0.0,
    "scale": 1.0,
    "width_multiple": 1,
}


@pytest.mark.parametrize(
    ("params", "centre", "columns"),
    [
        # 3rd place, 4th place, 8th place: 50 s, and views of the centre.
        ({"n_mels": 128, "fmin": 0.53, "fmax": 40.0, "hop_length": 39}, 10_000, 257),
        (
            {"n_fft": 512, "n_mels": 64, "fmin": 0.53, "fmax": 30.0, "hop_length": 32},
            10_000,
            313,
        ),
        (
            {
                "n_fft": 2048,
                "win_length": 32,
                "n_mels": 64,
                "fmin": 0.53,
                "fmax": 30.0,
                "hop_length": 8,
                "top_db": 100.0,
            },
            2800,
            351,
        ),
        (
            {"n_fft": 768, "n_mels": 96, "fmin": 0.5, "fmax": 30.0, "hop_length": 52},
            10_000,
            193,
        ),
        ({"fmin": 0.5, "fmax": 20.0, "hop_length": 8}, 2000, 251),
    ],
)
def test_recipes_of_torchaudio_on_real_eeg(real_windows, params, centre, columns):
    start = 5000 - centre // 2
    X = np.nan_to_num(real_windows[::9, :, start : start + centre])
    X = MontageTransformer("double_banana_16").fit_transform(X)
    images = MelSpectrogramizer(**TORCHAUDIO, **params).fit_transform(X)
    assert images.shape[-1] == columns
    theirs = {"n_fft": 1024, "win_length": 128, "n_mels": 128, "top_db": 80.0, **params}
    theirs["f_min"], theirs["f_max"] = theirs.pop("fmin"), theirs.pop("fmax")
    torch.set_default_dtype(torch.float64)
    try:
        expected = by_torchaudio(X, **theirs)
    finally:
        torch.set_default_dtype(torch.float32)
    assert np.abs(images - expected).max() < 5e-3


def test_logarithms(long_signals):
    librosa = pytest.importorskip("librosa")
    mel = MelSpectrogramizer(
        output="log",
        hop_length=33,
        fmax=100.0,
        width_multiple=1,
        clip=(None, 20),
        offset=-7.0,
        scale=3.0,
    )
    images = mel.fit_transform(long_signals)
    power = librosa.feature.melspectrogram(
        y=long_signals.astype(np.float64),
        sr=200,
        hop_length=33,
        n_fft=1024,
        n_mels=128,
        win_length=128,
    )
    expected = (np.minimum(np.log(power + 1e-6), 20) - 7) / 3
    np.testing.assert_allclose(images, expected, atol=1e-5)


def test_groups_are_chain_means(rng):
    X = rng.normal(0, 30, (2, 18, 2000)).astype(np.float32)
    montage = get_montage("double_banana")
    mel = MelSpectrogramizer(groups=montage.chains, hop_length=50).fit(X)
    assert mel.get_feature_names_out().tolist() == list(montage.chains)
    means = ChainMean(montage, list(montage.chains))
    expected = means.fit_transform(MelSpectrogramizer(hop_length=50).fit_transform(X))
    assert mel.transform(X).shape == (2, 5, 128, 32)
    np.testing.assert_allclose(mel.transform(X), expected, rtol=0, atol=1e-6)
    chosen = MelSpectrogramizer(groups=[(0, 1), [4]], hop_length=50).fit(X)
    assert chosen.get_feature_names_out().tolist() == ["group0", "group1"]
    assert clone(mel).groups == montage.chains
    restored = pickle.loads(pickle.dumps(mel))
    np.testing.assert_array_equal(restored.transform(X), mel.transform(X))


def test_tensors(long_signals):
    for params in ({}, {"output": "log1p"}, {"groups": [[0, 2]]}):
        mel = MelSpectrogramizer(**params).fit(long_signals)
        images = mel.transform(torch.from_numpy(long_signals))
        assert isinstance(images, torch.Tensor)
        expected = mel.transform(long_signals)
        np.testing.assert_allclose(images, expected, rtol=1e-4, atol=2e-4)


def test_frequency_goes_up_with_the_row_and_time_with_the_column():
    t = np.arange(10_000) / 200
    rows = []
    for hertz in (2.0, 10.0, 18.0):
        X = np.sin(2 * np.pi * hertz * t)[None, None]
        image = MelSpectrogramizer().fit_transform(X)[0, 0]
        rows.append(image[:, 128].argmax())
        assert rows[-1] == pytest.approx(hertz / 20 * 129 - 1, abs=2)
    assert rows == sorted(rows)
    burst = np.sin(2 * np.pi * 5 * t) * (np.abs(t - 40) < 1)
    image = MelSpectrogramizer().fit_transform(burst[None, None])[0, 0]
    assert image.max(axis=0).argmax() == pytest.approx(40 / 50 * 256, abs=5)


def test_plain_decibel(long_signals):
    plain = MelSpectrogramizer(offset=0.0, scale=1.0).fit_transform(long_signals)
    standard = MelSpectrogramizer().fit_transform(long_signals)
    np.testing.assert_allclose((plain + 40) / 40, standard, atol=1e-5)
    assert plain.max() <= 0
    assert plain.min() >= -80 - 1e-4


@pytest.mark.parametrize("output", ["linear", "log", "log10", "log1p"])
def test_offset_and_scale_of_40_are_for_decibels_only(long_signals, output):
    X = long_signals[..., :2000]
    auto = MelSpectrogramizer(output=output).fit_transform(X)
    plain = MelSpectrogramizer(output=output, offset=0, scale=1).fit_transform(X)
    np.testing.assert_array_equal(auto, plain)
    half = MelSpectrogramizer(output=output, scale=2).fit_transform(X)
    np.testing.assert_array_equal(half, plain / np.float32(2))
    decibel = MelSpectrogramizer(offset=40, scale=40).fit_transform(X)
    np.testing.assert_array_equal(MelSpectrogramizer().fit_transform(X), decibel)


def test_a_lower_bound_makes_silence_finite_without_eps(long_signals):
    X = long_signals[..., :2000].copy()
    X[0, 1] = 0
    mel = MelSpectrogramizer(output="log", eps=0, clip=(-4, None)).fit(X)
    assert (mel.transform(X)[0, 1] == -4).all()
    tensor = torch.from_numpy(X).requires_grad_()
    images = mel.transform(tensor)
    assert (images[0, 1] == -4).all()
    images.sum().backward()
    assert torch.isfinite(tensor.grad).all()


def test_no_bounds_at_all(long_signals):
    X = long_signals[..., :2000]
    for params in ({}, {"output": "log1p"}):
        expected = MelSpectrogramizer(**params).fit_transform(X)
        mel = MelSpectrogramizer(clip=(None, None), **params).fit(X)
        np.testing.assert_array_equal(mel.transform(X), expected)
        images = mel.transform(torch.from_numpy(X))
        np.testing.assert_allclose(images, expected, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize("coefficients", [[0.5, 0.5], np.array([0.5, 0.5])])
def test_windows_with_lists_of_parameters(long_signals, coefficients):
    X = long_signals[..., :2000]
    mel = MelSpectrogramizer(window=("general_cosine", coefficients))
    expected = MelSpectrogramizer(window="hann").fit_transform(X)
    np.testing.assert_allclose(mel.fit_transform(X), expected, atol=1e-5)


def test_windows_of_one_sample(rng):
    X = rng.uniform(1, 30, (1, 1, 2240)).astype(np.float32)
    mel = MelSpectrogramizer(win_length=1, output="linear", hop_length=7, n_mels=3)
    power = mel.fit_transform(X)
    assert (power[..., 0] == 0).all()  # the middle of 1,024 samples is the 512th
    power = power[..., 1:] / X[:, :, None, 6:-1:7] ** 2
    np.testing.assert_allclose(power, power[..., :1].repeat(319, axis=-1), rtol=1e-4)


def test_hop_is_learned_from_the_length(long_signals):
    mel = MelSpectrogramizer().fit(long_signals[..., :5000])
    assert mel.hop_length_ == 19
    assert mel.transform(long_signals).shape[-1] == 512
    assert MelSpectrogramizer(hop_length=50).fit(long_signals).hop_length_ == 50


def test_silent_and_constant_channels():
    X = np.zeros((1, 3, 10_000), dtype=np.float32)
    X[0, 1] = 1e4
    X[0, 2, 5000] = 1.0
    images = MelSpectrogramizer().fit_transform(X)
    assert np.isfinite(images).all()
    assert (images[0, 0] == 1).all()  # 0 dB, as librosa has it


def test_float64_agrees_with_float32(long_signals):
    double = MelSpectrogramizer().fit_transform(long_signals.astype(np.float64))
    assert double.dtype == np.float64
    single = MelSpectrogramizer().fit_transform(long_signals)
    assert np.abs(double - single).max() * 40 < 5e-3


def test_a_fitted_transformer_is_small(long_signals):
    assert len(pickle.dumps(MelSpectrogramizer().fit(long_signals))) < 1000


def test_bands_without_content_are_announced_once(long_signals):
    mel = MelSpectrogramizer(n_fft=256)
    with pytest.warns(UserWarning, match=r"lie between two bins"):
        mel.fit(long_signals)
    assert np.isfinite(mel.transform(long_signals)).all()


def test_nan_names_the_imputer(long_signals):
    long_signals[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match=r"MelSpectrogramizer: .*NaN.*NaNImputer"):
        MelSpectrogramizer().fit(long_signals)


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"fmin": 20.0, "fmax": 20.0}, "fmin=20.0 must be below fmax=20.0"),
        ({"fmin": -1.0}, "fmin must be .*at least 0"),
        ({"fmax": 101.0}, "fmax must be .*at most 100"),
        ({"sfreq": 0}, "sfreq must be .*above 0"),
        ({"n_fft": 1024.0}, "n_fft must be an integer"),
        ({"n_fft": 64}, "win_length must be .*at most 64, got 128"),
        ({"win_length": 0}, "win_length must be an integer at least 1"),
        ({"hop_length": 0}, "hop_length must be an integer at least 1"),
        ({"n_mels": 0}, "n_mels must be an integer at least 1"),
        ({"window": "bell"}, "window='bell' is no window of scipy.signal.get_window"),
        ({"window": None}, "window=None is no window"),
        ({"pad_mode": "edge"}, "pad_mode must be one of 'constant', 'reflect'"),
        ({"mel_scale": "bark"}, "mel_scale must be one of 'slaney', 'htk'"),
        ({"norm": "area"}, "norm must be one of 'slaney', None"),
        ({"output": "dB"}, "output must be one of .*Did you mean 'db'"),
        ({"exponent": 0}, "exponent must be .*above 0"),
        ({"per": "batch"}, "per must be one of 'plane', 'window'"),
        ({"eps": -1}, "eps must be .*at least 0"),
        ({"clip": 3}, "clip must be a pair"),
        ({"clip": (3, 1)}, "the lower bound must be below the upper one"),
        ({"ref": "mean"}, "ref must be .*Or give 'max'"),
        ({"ref": 0.0}, "ref must be .*above 0"),
        ({"amin": 0}, "amin must be"),
        ({"top_db": -1}, "top_db must be"),
        ({"offset": np.nan}, "offset must be"),
        ({"scale": 0}, "scale must be"),
        ({"offset": "none"}, "offset must be a finite number or 'auto', got 'none'"),
        ({"scale": "none"}, "scale must be a finite number or 'auto', got 'none'"),
        ({"output": "log", "eps": 0}, "power that is 0 is infinite .*Give eps, or"),
        ({"output": "log10", "eps": 1e-50}, "power that is 0 is infinite"),
        ({"output": "log", "eps": 0, "clip": (None, 3)}, "is infinite"),
        ({"width_multiple": 0}, "width_multiple must be an integer at least 1"),
        ({"width_multiple": 258}, "257 columns .*fewer than width_multiple=258"),
        ({"hop_length": 400}, "26 columns .*fewer than width_multiple=32"),
        ({"groups": []}, "groups is empty"),
        ({"groups": "LL"}, "groups must be a list of lists"),
        ({"groups": 3}, "groups must be a list of lists"),
        ({"groups": [[0, 3]]}, r"group 'group0' .*0 \.\. 2 .*got \[0, 3\]"),
        ({"groups": {"LL": []}}, "group 'LL' must be a list of positions"),
        ({"groups": {"LL": [-1]}}, "group 'LL' must be a list of positions"),
        ({"groups": {"LL": 1}}, "group 'LL' must be a list of positions"),
        ({"groups": {"LL": [0.0]}}, "group 'LL' must be a list of positions"),
    ],
)
def test_errors_come_in_fit(long_signals, params, text):
    with pytest.raises(ValueError, match=f"^MelSpectrogramizer: .*{text}"):
        MelSpectrogramizer(**params).fit(long_signals)


def test_windows_too_short(long_signals):
    with pytest.raises(ValueError, match=r"255 samples.*at least 256.*or a hop_length"):
        MelSpectrogramizer().fit(long_signals[..., :255])
    with pytest.raises(ValueError, match=r"26 columns"):
        MelSpectrogramizer().fit(long_signals).transform(long_signals[..., :1000])
