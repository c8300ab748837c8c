"""Mel spectrograms against librosa in double precision."""

import tracemalloc
import warnings

import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given, settings
from hypothesis import strategies as st

from hmsklearn.montage import MONTAGES
from hmsklearn.signal import (
    butterworth_sos,
    filter_zero_phase,
    group_means,
    mel_decibels,
    mel_filterbank,
    mel_spectrogram,
    pair_differences,
    power_to_levels,
)
from hmsklearn.signal.mel_bank import mel_frequencies

librosa = pytest.importorskip("librosa")

#: What is promised.
DECIBELS = 5e-3


def by_librosa(signal, *, ref=np.max, top_db=80.0, amin=1e-10, **kwargs):
    """The recipe of the public notebooks, in double precision."""
    kwargs = {
        "sr": 200,
        "hop_length": 39,
        "n_fft": 1024,
        "n_mels": 128,
        "fmin": 0,
        "fmax": 20,
        "win_length": 128,
        **kwargs,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # short signals, empty filters
        power = librosa.feature.melspectrogram(y=signal.astype(np.float64), **kwargs)
        return librosa.power_to_db(power, ref=ref, top_db=top_db, amin=amin)


def all_by_librosa(X, **kwargs):
    rows = [by_librosa(row, **kwargs) for row in X.reshape(-1, X.shape[-1])]
    return np.reshape(rows, (*X.shape[:-1], *rows[0].shape))


@pytest.fixture
def double():
    """Let torchaudio derive its constants in double precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("norm", ["slaney", None])
@pytest.mark.parametrize("mel_scale", ["slaney", "htk"])
@pytest.mark.parametrize(
    ("sfreq", "n_fft", "n_mels", "fmin", "fmax"),
    [
        (200, 1024, 128, 0, 20),
        (200, 1024, 128, 0.53, 40),
        (200, 512, 64, 0.53, 30),
        (200, 2048, 128, 0, 100),
        (22050, 2048, 128, 0, 11025),
        (16000, 400, 80, 20, 8000),
    ],
)
def test_filterbank_is_librosas_and_torchaudios(
    double, sfreq, n_fft, n_mels, fmin, fmax, mel_scale, norm
):
    kwargs = {"n_mels": n_mels, "norm": norm}
    bank = mel_filterbank(
        sfreq, n_fft, n_mels, fmin, fmax, mel_scale=mel_scale, norm=norm
    )
    expected = librosa.filters.mel(
        sr=sfreq,
        n_fft=n_fft,
        fmin=fmin,
        fmax=fmax,
        htk=mel_scale == "htk",
        dtype=np.float64,
        **kwargs,
    )
    np.testing.assert_allclose(bank, expected, rtol=1e-9, atol=1e-11)
    expected = torchaudio.functional.melscale_fbanks(
        n_fft // 2 + 1, fmin, fmax, sample_rate=sfreq, mel_scale=mel_scale, **kwargs
    )
    np.testing.assert_allclose(bank.T, expected, rtol=1e-9, atol=1e-11)


def test_frequencies_are_librosas():
    for fmin, fmax in [(0, 20), (0.5, 100), (0, 8000), (900, 1100), (2000, 4000)]:
        for scale in ("slaney", "htk"):
            htk = scale == "htk"
            np.testing.assert_allclose(
                mel_frequencies(50, fmin, fmax, scale),
                librosa.mel_frequencies(50, fmin=fmin, fmax=fmax, htk=htk),
                rtol=1e-10,
            )


@pytest.mark.parametrize(("name", "value"), [("mel_scale", "bark"), ("norm", "area")])
def test_unknown_filterbanks(name, value):
    with pytest.raises(ValueError, match=f"mel_filterbank: {name} must be one of"):
        mel_filterbank(200.0, 1024, **{name: value})


def by_torchaudio(X, *, top_db=80.0, **kwargs):
    """The torchaudio recipe, window by window, in double precision."""
    kwargs = {
        "sample_rate": 200,
        "n_fft": 1024,
        "win_length": 128,
        "hop_length": 39,
        "n_mels": 128,
        "f_min": 0.53,
        "f_max": 40.0,
        **kwargs,
    }
    mel = torchaudio.transforms.MelSpectrogram(**kwargs)
    decibel = torchaudio.transforms.AmplitudeToDB(top_db=top_db)
    X = torch.from_numpy(X.astype(np.float64))
    return torch.stack([decibel(mel(window)) for window in X]).numpy()


TORCHAUDIO = {"pad_mode": "reflect", "ref": 1.0, "per": "window"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"mel_scale": "htk", "norm": None}, {}),
        ({}, {"mel_scale": "slaney", "norm": "slaney"}),
        ({"mel_scale": "htk", "norm": "slaney"}, {"norm": "slaney"}),
        (
            {"n_fft": 2048, "win_length": 16, "hop_length": 4, "top_db": 100.0},
            {
                "n_fft": 2048,
                "win_length": 16,
                "hop_length": 4,
                "top_db": 100.0,
                "mel_scale": "slaney",
                "norm": "slaney",
            },
        ),
    ],
)
def test_decibels_are_torchaudios(rng, double, ours, theirs):
    X = rng.normal(0, 30, (2, 3, 2400)).cumsum(axis=-1)
    X[0, 1] *= 1e-5
    expected = by_torchaudio(X, **theirs)
    kwargs = {"fmin": 0.53, "fmax": 40.0, **TORCHAUDIO, **ours}
    result = mel_decibels(X, **kwargs)
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-6)
    single = X.astype(np.float32)
    expected = by_torchaudio(single, **theirs)
    assert np.abs(mel_decibels(single, **kwargs) - expected).max() < DECIBELS


def test_torchaudios_decibels_of_real_eeg(real_windows, double):
    X = pair_differences(
        np.nan_to_num(real_windows[::7]), *MONTAGES["double_banana_16"].indices()
    )
    kwargs = {"fmin": 0.53, "fmax": 40.0, "mel_scale": "htk", "norm": None}
    result = mel_decibels(X, **kwargs, **TORCHAUDIO)
    assert result.shape == (len(X), 16, 128, 257)
    assert np.abs(result - by_torchaudio(X)).max() < DECIBELS


def test_filters_between_two_bins_are_announced():
    with pytest.warns(UserWarning, match=r"of 128 mel filters .* n_fft than 256"):
        bank = mel_filterbank(200.0, 256)
    assert (bank.sum(axis=1) == 0).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_power_is_librosas(rng, dtype):
    X = (30 * rng.normal(size=(2, 2, 3000))).astype(dtype)
    result = mel_spectrogram(X)
    assert result.dtype == dtype
    for where in np.ndindex(2, 2):
        expected = librosa.feature.melspectrogram(
            y=X[where].astype(np.float64),
            sr=200,
            hop_length=39,
            n_fft=1024,
            n_mels=128,
            fmin=0,
            fmax=20,
            win_length=128,
        )
        # librosa keeps its filters in float32.
        np.testing.assert_allclose(result[where], expected, rtol=1e-5)


def test_real_eeg_raw_and_filtered(real_windows):
    X = np.nan_to_num(real_windows)
    bipolar = pair_differences(X, *MONTAGES["double_banana"].indices())
    filtered = filter_zero_phase(bipolar, butterworth_sos(0.5, 20.0))
    for kind in (bipolar[::5], filtered[1::5]):
        expected = all_by_librosa(kind)
        images = mel_decibels(kind)
        assert images.dtype == np.float32
        assert images.shape == (*kind.shape[:2], 128, 257)
        assert np.abs(images - expected).max() < DECIBELS
    double = mel_decibels(filtered[:2].astype(np.float64))
    np.testing.assert_allclose(double, all_by_librosa(filtered[:2]), atol=1e-6)


def hostile_signals(rng):
    """Signals that a transform in float32 alone gets wrong."""
    t = np.arange(10_000) / 200
    quiet = rng.normal(0, 1, t.size)
    spike = np.zeros(t.size)
    spike[5000] = 1e5
    return {
        "offset": quiet + 1e5,
        "mains": quiet + 3000 * np.sin(2 * np.pi * 60 * t),
        "step": quiet + 45_000 * (t > 25),
        "drift": quiet + 2000 * t,
        "spike": quiet + spike,
        "chirp": 100 * np.sin(2 * np.pi * (0.5 + 0.2 * t) * t),
        "slow": 1000 * np.sin(2 * np.pi * 0.3 * t) + quiet,
        "above the bands": 1000 * np.sin(2 * np.pi * 45 * t) + 0.01 * quiet,
        "small": 1e-6 * quiet,
        "huge": 1e9 * quiet,
    }


@pytest.mark.parametrize("name", hostile_signals(np.random.default_rng(0)))
def test_hostile_signals(rng, name):
    x = hostile_signals(rng)[name].astype(np.float32)
    image = mel_decibels(x[None, None])[0, 0]
    assert np.abs(image - by_librosa(x)).max() < DECIBELS


@pytest.mark.parametrize("top_db", [None, 120.0, 100.0, 60.0, 10.0])
def test_other_floors_are_as_exact(rng, top_db):
    for x in hostile_signals(rng).values():
        x = x.astype(np.float32)
        image = mel_decibels(x[None, None], top_db=top_db)[0, 0]
        assert np.abs(image - by_librosa(x, top_db=top_db)).max() < DECIBELS


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_parameters(data):
    n_fft = data.draw(st.sampled_from([64, 127, 256, 1024]))
    kwargs = {
        "n_fft": n_fft,
        "win_length": data.draw(st.sampled_from([n_fft, n_fft // 2, n_fft // 2 - 1])),
        "hop_length": data.draw(st.integers(1, 60)),
        "n_mels": data.draw(st.integers(1, 40)),
        "fmin": data.draw(st.sampled_from([0.0, 0.5, 10.0])),
        "fmax": data.draw(st.sampled_from([20.0, 55.0, 100.0])),
        "window": data.draw(st.sampled_from(["hann", "hamming"])),
    }
    rng = np.random.default_rng(data.draw(st.integers(0, 2**16)))
    x = rng.normal(0, 30, data.draw(st.integers(1, 800))).astype(np.float32)
    image = mel_decibels(x[None, None], warn_empty=False, **kwargs)[0, 0]
    expected = by_librosa(x, **kwargs)
    assert image.shape == expected.shape
    assert np.abs(image - expected).max() < DECIBELS


@pytest.mark.parametrize("ref", [1.0, 1e4])
def test_fixed_reference(rng, ref):
    x = rng.normal(0, 30, 2000).astype(np.float32)
    image = mel_decibels(x[None, None], ref=ref)[0, 0]
    assert np.abs(image - by_librosa(x, ref=ref)).max() < DECIBELS


@pytest.mark.parametrize("value", [0.0, 1.0, -45_000.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_silent_and_constant_channels_are_as_librosas(value, dtype):
    X = np.full((1, 1, 10_000), value, dtype=dtype)
    image = mel_decibels(X)[0, 0]
    assert np.isfinite(image).all()
    assert np.abs(image - by_librosa(X[0, 0])).max() < DECIBELS
    if value == 0:
        assert (image == 0).all()


@settings(deadline=None, max_examples=15)
@given(gain=st.floats(1e-3, 1e3), seed=st.integers(0, 2**16))
def test_gain_and_sign_do_not_matter(gain, seed):
    x = np.random.default_rng(seed).normal(0, 30, (1, 1, 2000))
    expected = mel_decibels(x)
    np.testing.assert_allclose(mel_decibels(-gain * x), expected, rtol=0, atol=1e-8)


@settings(deadline=None, max_examples=15)
@given(columns=st.integers(1, 20), seed=st.integers(0, 2**16))
def test_columns_move_with_the_signal(columns, seed):
    x = np.random.default_rng(seed).normal(0, 30, (1, 1, 3000))
    moved = np.concatenate([np.zeros((1, 1, 39 * columns)), x], axis=-1)
    power, later = mel_spectrogram(x), mel_spectrogram(moved)
    np.testing.assert_allclose(later[..., columns:], power, rtol=1e-9, atol=1e-9)


def test_reversed_time_reverses_the_columns(rng):
    x = rng.normal(0, 30, (1, 1, 39 * 60 + 1))
    power = mel_spectrogram(x)
    np.testing.assert_allclose(
        mel_spectrogram(x[..., ::-1]), power[..., ::-1], rtol=1e-8
    )


def test_channels_do_not_know_of_each_other_and_keep_their_precision(rng):
    """One channel that needs float64 changes nothing about its neighbours."""
    calm = rng.normal(0, 30, (2, 3, 2000)).astype(np.float32)
    images = mel_decibels(calm)
    X = calm.copy()
    X[0, 1] += 3000 * np.sin(2 * np.pi * 60 * np.arange(2000) / 200).astype("f4")
    mixed = mel_decibels(X)
    assert (mixed[0, 1] != images[0, 1]).any()
    mixed[0, 1] = images[0, 1]
    np.testing.assert_array_equal(mixed, images)
    np.testing.assert_array_equal(mel_decibels(calm[1:, ::-1]), images[1:, ::-1])


def test_width_out_and_input(rng):
    X = rng.normal(0, 30, (2, 3, 10_000)).astype(np.float32)
    X.setflags(write=False)
    whole = mel_decibels(X)
    out = np.empty((2, 3, 128, 256), dtype=np.float32)
    assert mel_decibels(X, width=256, out=out) is out
    np.testing.assert_array_equal(out, whole[..., :256])
    view = np.repeat(X, 2, axis=-1)[..., ::2]
    np.testing.assert_array_equal(mel_decibels(view), whole)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensors_of_real_eeg(real_windows, dtype):
    X = np.nan_to_num(real_windows[::9])
    bipolar = pair_differences(X, *MONTAGES["double_banana"].indices())
    filtered = filter_zero_phase(bipolar, butterworth_sos(0.5, 20.0))
    for signals, limit in ((filtered, DECIBELS), (bipolar, 0.05)):
        expected = mel_decibels(signals.astype(np.float64))
        images = mel_decibels(torch.from_numpy(signals).to(dtype))
        limit = 1e-6 if dtype == torch.float64 else limit
        assert np.abs(images.numpy() - expected).max() < limit


def test_an_offset_costs_tensors_no_precision(rng):
    x = hostile_signals(rng)["offset"].astype(np.float32)
    image = mel_decibels(torch.from_numpy(x)[None, None])[0, 0].numpy()
    assert np.abs(image - by_librosa(x)).max() < DECIBELS


@pytest.mark.parametrize(
    "levels", [None, {"output": "db"}, {"output": "log", "eps": 1}]
)
@pytest.mark.parametrize("per", ["plane", "window"])
def test_groups_are_the_means_of_the_images(rng, levels, per):
    X = rng.normal(0, 30, (2, 5, 1000)).astype(np.float32)
    X[:, 2] *= 100
    groups = [[0, 3], (1, 0, 4), [3]]
    if levels is not None:
        levels = {**levels, "per": per}
    kwargs = {"levels": levels, "width": 20, "n_mels": 16}
    images = mel_spectrogram(X, **kwargs)
    means = mel_spectrogram(X, groups=groups, **kwargs)
    assert means.shape == (2, 3, 16, 20)
    np.testing.assert_allclose(means, group_means(images, groups), rtol=1e-5, atol=1e-4)
    tensor = mel_spectrogram(torch.from_numpy(X), groups=groups, **kwargs)
    np.testing.assert_allclose(tensor, means, rtol=1e-3, atol=1e-4 * means.max())


@pytest.mark.parametrize("output", ["linear", "log", "log10", "log1p"])
@pytest.mark.parametrize("exponent", [1, 2])
def test_other_levels_are_those_of_the_power(rng, output, exponent):
    X = rng.normal(0, 30, (2, 3, 1000)).astype(np.float32)
    levels = {"output": output, "exponent": exponent, "clip": (0, 9), "scale": 2}
    result = mel_spectrogram(X, levels=levels)
    power = mel_spectrogram(X.astype(np.float64))
    expected = power_to_levels(power, **levels)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"win_length": 2000}, "win_length must be an integer .*at most 1024"),
        ({"n_fft": 1}, "n_fft must be an integer at least 2"),
        ({"hop_length": 0}, "hop_length must be an integer at least 1"),
        ({"pad_mode": "edge"}, "pad_mode must be one of 'constant', 'reflect'"),
        ({"window": "bell"}, "window='bell' is no window"),
        ({"window": [1, 2]}, r"window=\[1, 2\] is no window"),
        ({"sfreq": 0}, "sfreq must be a finite number above 0"),
        ({"sfreq": -200.0}, "sfreq must be a finite number above 0"),
        ({"sfreq": 30}, "fmax must be a finite number at most 15"),
        ({"fmin": 20}, "fmin=20 must be below fmax=20.0. Swap them"),
        ({"fmin": -1}, "fmin must be a finite number at least 0"),
        ({"n_mels": 0}, "n_mels must be an integer at least 1, got 0"),
        ({"n_mels": 16.5}, "n_mels must be an integer at least 1, got 16.5"),
        ({"mel_scale": "bark"}, "mel_scale must be one of 'slaney', 'htk'"),
        ({"norm": "area"}, "norm must be one of 'slaney', None"),
        ({"width": 14}, "width must be .* at most 13, got 14. The signals give 13"),
        ({"width": 0}, "width must be an integer at least 1"),
        ({"groups": []}, "groups is empty"),
        ({"groups": 3}, "groups must be a list of lists"),
        ({"groups": [[]]}, "group 'group0' must be a list of positions"),
        ({"groups": [[0], [-1]]}, r"group 'group1' must .* 0 \.\. 0 .*got \[-1\]"),
        ({"groups": [[0, 1]]}, "group 'group0' must be a list of positions"),
        ({"groups": [[True]]}, "group 'group0' must be a list of positions"),
        ({"levels": "db"}, "levels must be arguments of power_to_levels by name"),
        ({"levels": {"outptu": "db"}}, "the name of a level .*Did you mean 'output'"),
        ({"levels": {"output": "dB"}}, "output must be one of .*Did you mean 'db'"),
        ({"levels": {"scale": 0}}, "scale must be a finite number above 0"),
    ],
)
def test_errors(kwargs, text):
    for X in (np.zeros((1, 1, 500)), torch.zeros(1, 1, 500)):
        with pytest.raises(ValueError, match=f"^mel_spectrogram: {text}"):
            mel_spectrogram(X, **kwargs)


@pytest.mark.parametrize(
    ("X", "text"),
    [
        (np.zeros((1, 500)), "X has 2 dimensions and shape .*pass X.None."),
        (torch.zeros(1, 500), "X has 2 dimensions and shape .*pass X.None."),
        (torch.zeros((1, 1, 500), dtype=torch.int16), "float32 or float64, .*int16"),
        (torch.zeros((1, 1, 500), dtype=torch.float16), "float32 or float64"),
        (np.zeros((1, 1, 500), dtype=complex), "real numbers, got complex128"),
        ([[[0.0] * 500]], "expected a NumPy array or a torch tensor, got list"),
    ],
)
def test_signals_that_are_none(X, text):
    with pytest.raises(ValueError, match=f"^mel_decibels: .*{text}"):
        mel_decibels(X)


def test_integers_become_float32(rng):
    X = rng.integers(-300, 300, (2, 3, 1000)).astype(np.int16)
    images = mel_decibels(X)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, mel_decibels(X.astype(np.float32)))


def test_bands_without_content_are_announced_by_every_call(rng):
    X = rng.normal(0, 30, (1, 2, 1000))
    for signals in (X, X, torch.from_numpy(X)):
        with pytest.warns(UserWarning, match=r"of 128 mel filters .* n_fft than 256"):
            mel_spectrogram(signals, n_fft=256)
    mel_spectrogram(X, n_fft=256, warn_empty=False)


def test_out_is_for_arrays():
    X = torch.zeros(1, 1, 500)
    with pytest.raises(ValueError, match=r"mel_decibels: out= is for NumPy arrays"):
        mel_decibels(X, out=np.zeros((1, 1, 128, 13)))


@pytest.mark.parametrize("groups", [None, [[0, 1, 2, 3], [4, 5, 6, 7]]])
@pytest.mark.parametrize("mains", [0.0, 1e4])
def test_memory_is_the_output_and_little_more(rng, groups, mains):
    """Also where mains are so loud that every channel goes through float64."""
    X = rng.normal(0, 30, (3, 18, 10_000)).astype(np.float32)
    X += np.float32(mains) * np.cos(np.arange(10_000, dtype=np.float32) * 2)
    n_planes = 18 if groups is None else 2
    out = np.empty((3, n_planes, 128, 257), dtype=np.float32)
    mel_decibels(X[:1], groups=groups)
    tracemalloc.start()
    mel_decibels(X, groups=groups, out=out)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6
