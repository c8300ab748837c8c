"""Arrays and tensors: one function, the same numbers, on the CPU and on a GPU."""

import inspect
from functools import partial

import numpy as np
import pytest
import torch

from hmsklearn import signal
from hmsklearn.montage import get_montage

_RNG = np.random.default_rng(7)
EEG = (30 * _RNG.normal(size=(3, 20, 2000)).cumsum(axis=-1) / 40).astype(np.float32)
POWER = _RNG.gamma(1.0, 50.0, size=(3, 4, 30, 40)).astype(np.float32)
SOS = signal.butterworth_sos(0.5, 20.0)

IMAGES = _RNG.normal(2.0, 3.0, size=(3, 4, 30, 40)).astype(np.float32)
GAPPY_IMAGES = IMAGES.copy()
GAPPY_IMAGES[0, 1] = np.nan
GAPPY_IMAGES[1, :, :, 10:20] = np.nan
GAPPY_IMAGES[2, 3, 4, 5] = np.nan

GAPPY = EEG.copy()
GAPPY[0, 1, 100:200] = np.nan
GAPPY[1, 2] = np.nan
GAPPY[2, 3, :10] = np.nan

FREQS = [1.0, 2.0, 5.0, 11.0, 50.0]


def morlet_parts(X, **options):
    """Complex coefficients as pairs of real numbers."""
    coefficients = signal.morlet_transform(X, **options)
    if isinstance(X, torch.Tensor):
        return torch.view_as_real(coefficients)
    return np.stack([coefficients.real, coefficients.imag], axis=-1)


#: Function of the room -> calls of it, each with its input. Everything in
#: ``signal.__all__`` that computes on data must be here.
CASES = {
    "centre_crop": [(partial(signal.centre_crop, n_times=n), EEG) for n in (501, 2000)],
    "channel_quality": [
        (partial(signal.channel_quality, output="quality", half_life=13.0), EEG),
        (partial(signal.channel_quality, output="gof"), EEG[:, :5]),
        (partial(signal.channel_quality, output="gof", n_nearest=1), EEG[:, :2]),
    ],
    "clip_and_divide": [
        (partial(signal.clip_and_divide, clip=30.0, scale=32.0), EEG),
        (partial(signal.clip_and_divide, clip=None, scale=3, offset=2.5), GAPPY),
        (
            partial(
                signal.clip_and_divide,
                clip=list(range(20, 40)),
                scale=np.linspace(1, 90, 20),
                offset=range(20),
            ),
            GAPPY,
        ),
    ],
    "combine_quality": [
        (
            partial(signal.combine_quality, groups=[(0, 1), (2,), ()], output=output),
            np.abs(EEG) / 100,
        )
        for output in ("quality", "gof")
    ],
    "decimate": [
        (partial(signal.decimate, factor=factor, method=method), X)
        for factor, method, X in [
            (5, "stride", EEG),
            (5, "mean", GAPPY),
            (7, "mean", EEG),
        ]
    ],
    "derive": [
        (partial(signal.derive, matrix=get_montage(name).matrix()), GAPPY)
        for name in ("double_banana_ekg", "average_reference_ekg", "15th")
    ]
    + [
        (partial(signal.derive, matrix=get_montage(lines).matrix()), GAPPY)
        for lines in (
            ["F3-C3", {"C3": 1, "P3": 0.5, "Cz": -2}, {"P3": 3}],
            [{"F3": 1, "C3": 2}, "Cz"],
        )
    ],
    "draw_traces": [
        (partial(signal.draw_traces, height=100, width=120), EEG),
        (
            partial(
                signal.draw_traces,
                height=133,
                width=300,
                amplitude=40.0,
                line_width=1.7,
                overlap=1.3,
                negative_up=True,
                invert=True,
            ),
            EEG[:, :7],
        ),
        (partial(signal.draw_traces, height=40, width=1000), EEG[:, :2, :333]),
    ],
    "exponential_mean": [
        (partial(signal.exponential_mean, half_life=half_life), X)
        for half_life, X in [(13.0, EEG), (65.0, EEG[..., :7]), (0.3, EEG), (1e5, EEG)]
    ],
    "fill_nan": [
        (partial(signal.fill_nan, strategy=strategy), X)
        for strategy in ("mean", "zero", "linear")
        for X in (GAPPY, EEG)
    ],
    "filter_causal": [
        (partial(signal.filter_causal, sos=SOS), EEG),
        (partial(signal.filter_causal, sos=signal.notch_sos()), EEG[..., :333]),
        (partial(signal.filter_causal, sos=signal.butterworth_sos(50, None)), EEG),
        (partial(signal.filter_causal, sos=SOS), EEG[..., :3]),
    ],
    "filter_fir": [
        (partial(signal.filter_fir, kernel=signal.fir_kernel(0.5, 20.0)), EEG),
        (partial(signal.filter_fir, kernel=signal.fir_kernel(None, 20.0)), EEG[:, :3]),
        (partial(signal.filter_fir, kernel=signal.fir_notch_kernel()), EEG[..., :500]),
    ],
    "filter_zero_phase": [
        (partial(signal.filter_zero_phase, sos=SOS), EEG),
        (partial(signal.filter_zero_phase, sos=SOS, padlen=632), EEG[..., :777]),
        (partial(signal.filter_zero_phase, sos=signal.notch_sos()), EEG[..., :333]),
        (partial(signal.filter_zero_phase, sos=signal.butterworth_sos(50, None)), EEG),
        (partial(signal.filter_zero_phase, sos=SOS, padlen=0), EEG[..., :3]),
    ],
    "mel_decibels": [
        (partial(signal.mel_decibels, **kwargs), EEG)
        for kwargs in (
            {"width": 32},
            {"per": "window", "ref": 1.0, "offset": 40, "scale": 40, "n_mels": 40},
            {"pad_mode": "reflect", "mel_scale": "htk", "norm": None, "fmax": 100.0},
        )
    ],
    "mel_spectrogram": [
        (partial(signal.mel_spectrogram, **kwargs), EEG)
        for kwargs in (
            {"n_mels": 30, "win_length": 1024},
            {"n_fft": 2048, "win_length": 16, "hop_length": 4, "fmax": 30.0},
            {"levels": {"output": "log"}, "hop_length": 33},
            {"levels": {"output": "db"}, "groups": [[0, 1], [1, 2, 5]]},
        )
    ],
    "mu_law": [(partial(signal.mu_law, mu=mu), GAPPY) for mu in (1.0, 255.0)],
    "multitaper_power": [
        (partial(signal.multitaper_power, **kwargs), EEG)
        for kwargs in (
            {},
            {"time_bandwidth": 2, "step_seconds": 2, "scaling": "two-sided"},
            {"weighting": "eigen", "periodic": True, "n_fft": 800, "step_seconds": 0.3},
            {"weighting": "adaptive", "window_seconds": 2.0, "detrend": "constant"},
            {"weighting": "adaptive_mne", "fmin": 0, "fmax": 100, "step_seconds": 2},
        )
    ],
    "resize_images": [
        (partial(signal.resize_images, size=size, mode=mode, antialias=antialias), X)
        for size in ((64, 20), (12, 100), (30, 40))
        for mode, antialias in (
            ("nearest", False),
            ("bilinear", False),
            ("bilinear", True),
            ("bicubic", False),
            ("bicubic", True),
        )
        for X in (IMAGES, GAPPY_IMAGES)
    ],
    "robust_scale": [
        (
            partial(
                signal.robust_scale,
                across=across,
                center=center,
                quantile_range=quantile_range,
            ),
            EEG,
        )
        for across in ("channel", "window", "electrodes")
        for center, quantile_range in [("median", (25.0, 75.0)), ("mean", None)]
    ]
    + [
        (partial(signal.robust_scale, center=None, quantile_range=(5, 95)), EEG),
    ],
    "panel_differences": [
        (signal.panel_differences, IMAGES),
        (signal.panel_differences, GAPPY_IMAGES),
    ],
    "panel_statistics": [
        (partial(signal.panel_statistics, statistics=statistics, axis=axis), X)
        for statistics in (("min", "max", "mean", "range", "std"), (20, 40, 60, 80))
        for axis in (1, 2, 3)
        for X in (IMAGES, GAPPY_IMAGES)
    ],
    "plane_contrasts": [
        (
            partial(signal.plane_contrasts, references=[(1, 2, 3), (0, 2), (3,), ()]),
            IMAGES,
        )
    ],
    "group_means": [
        (partial(signal.group_means, groups=[(0, 1, 2), (3, -1), (7,)]), GAPPY),
        (partial(signal.group_means, groups=[(0, 2), (1, 2, 3)]), POWER),
    ],
    "normalize_background": [
        (partial(signal.normalize_background, **kwargs), X)
        for kwargs in ({}, {"reference": [0, 2]}, {"clip": 1.5})
        for X in (IMAGES, GAPPY_IMAGES)
    ],
    "pair_differences": [
        (partial(signal.pair_differences, anodes=a, cathodes=c), GAPPY)
        for a, c in (([0, 1, 2], [1, 2, 3]), ([5, 2, 19], [2, 2, -2]))
    ],
    "power_to_db": [
        (partial(signal.power_to_db, per=per), POWER) for per in ("plane", "window")
    ],
    "power_to_levels": [
        (partial(signal.power_to_levels, output=output, exponent=exponent), POWER)
        for output in ("linear", "db", "log", "log10", "log1p")
        for exponent in (1, 2)
    ],
    "standardize": [
        (partial(signal.standardize, method=method, per=per), X)
        for method in ("zscore", "minmax", "quantile")
        for per in ("window", "plane", "row", 10, [[0, 2], [3], [1]])
        for X in (IMAGES, GAPPY_IMAGES)
    ]
    + [
        (partial(signal.standardize, method="fixed", mean=2.0, std=12.0), GAPPY_IMAGES),
        (
            partial(signal.standardize, method="fixed", std=[1, 2, 3, 4], fill=-1.0),
            GAPPY_IMAGES,
        ),
    ],
    "stft_power": [
        (partial(signal.stft_power, **kwargs), EEG)
        for kwargs in (
            {"win_length": 128, "hop_length": 50, "n_bins": 61},
            {"n_fft": 110, "win_length": 64, "fmax": 40.0, "grid": "linear"},
            {
                "n_fft": 256,
                "hop_length": 19,
                "window": ("tukey", 0.25),
                "framing": "scipy",
                "center": False,
                "detrend": "constant",
                "scaling": "density",
                "doubled": True,
            },
            {"detrend": "linear", "n_fft": 128, "pad_mode": "constant"},
            {"levels": {"output": "db", "per": "window"}, "fmax": 20.0},
            {"levels": {"output": "log", "exponent": 1}, "n_bins": 102},
        )
    ],
    "tile_planes": [
        (partial(signal.tile_planes, layout=layout, **options), GAPPY_IMAGES)
        for layout, options in (
            ([[[0], [2], [1], [3]]], {}),
            ([[[0, 1], [2, -1]], [[3, 3], [1, 0]]], {"fill": -1.0}),
            ([[[0, 1, 2, 3]]], {"trim": (3, 2), "fold": 2}),
            ([[[0, 1]]], {"size": (101, 90), "fill": 7.0}),
            ([[[0]], [[3]]], {"size": (30, 41), "align": "start"}),
        )
    ],
    "morlet_power": [
        (partial(signal.morlet_power, freqs=FREQS, **options), EEG)
        for options in (
            {"n_columns": 50},
            {"hop_length": 33, "n_cycles": 3, "pad_mode": "reflect", "zero_mean": True},
            {"scaling": "mne", "n_cycles": [2, 3, 4, 5, 6], "demean": False},
            {"hop_length": 40, "pad_mode": "wrap", "omega0": 8.0},
        )
    ],
    "morlet_transform": [
        (partial(morlet_parts, freqs=FREQS, **options), EEG)
        for options in (
            {"n_columns": 50},
            {"hop_length": 7, "scaling": "torrence-compo", "pad_mode": "reflect"},
        )
    ],
    "superlet_power": [
        (partial(signal.superlet_power, freqs=FREQS, **options), EEG)
        for options in (
            {"order": (1, 4.5), "n_columns": 50},
            {"order": 3, "kind": "additive", "hop_length": 9},
        )
    ],
    "waveform_image": [
        (partial(signal.waveform_image, rows=10), GAPPY),
        (partial(signal.waveform_image, rows=1, layout="contiguous"), EEG),
        (partial(signal.waveform_image, rows=8, columns=5), EEG),
        (
            partial(signal.waveform_image, rows=200, layout="contiguous", columns=10),
            EEG,
        ),
        (partial(signal.waveform_image, rows=3, layout="repeated", columns=4), EEG),
    ],
}

#: What makes constants out of parameters and never sees data.
DESIGNS = {
    "butterworth_sos",
    "cone_of_influence",
    "default_padlen",
    "fir_kernel",
    "fir_notch_kernel",
    "mel_filterbank",
    "notch_sos",
    "ringing_samples",
    "single_precision_suffices",
    "stft_frequencies",
    "torrence_compo_frequencies",
    "wavelet_frequencies",
}

calls = pytest.mark.parametrize(
    ("function", "X"),
    [
        pytest.param(function, X, id=f"{name}-{number}")
        for name, entries in CASES.items()
        for number, (function, X) in enumerate(entries)
    ],
)


def agree(tensor, array):
    """Agree to 1e-4, relative to the largest value of each window."""
    assert isinstance(array, np.ndarray)
    given = tensor.detach().cpu().numpy()
    assert given.shape == array.shape
    assert given.dtype == array.dtype
    np.testing.assert_array_equal(np.isnan(given), np.isnan(array))
    for one, other in zip(given, array, strict=True):
        largest = np.nanmax(np.abs(other), initial=0.0)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * largest)


def test_every_function_is_here():
    functions = {
        name
        for name in signal.__all__
        if inspect.isfunction(getattr(signal, name)) and name not in DESIGNS
    }
    assert functions == set(CASES)


@calls
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tensor_is_array(function, X, dtype):
    X = X.astype(dtype)
    before = X.copy()
    tensor = torch.from_numpy(X.copy())
    array, result = function(X), function(tensor)
    assert isinstance(result, torch.Tensor)
    assert result.dtype == tensor.dtype
    agree(result, array)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(tensor.numpy(), before)
    assert not np.shares_memory(array, X)


@calls
def test_tensor_passes_the_gradient(function, X):
    tensor = torch.tensor(X, requires_grad=True)
    result = function(tensor)
    weights = torch.linspace(-1, 1, result.numel()).reshape(result.shape)
    (result.nan_to_num() * weights).sum().backward()
    gradient = tensor.grad[~torch.isnan(tensor)]
    assert torch.isfinite(gradient).all()
    assert gradient.abs().max() > 0


@calls
@pytest.mark.gpu
def test_cuda_is_array(function, X):
    result, expected = function(torch.from_numpy(X).cuda()), function(X)
    levels = getattr(function, "keywords", {}).get("levels", {})
    if levels.get("output") == "log":
        # A bin a millionth of the peak holds rounding, of which the logarithm makes
        # per mille. It is compared as it was before the logarithm.
        agree(result.exp(), np.exp(expected))
        loud = expected > expected.max() + np.log(1e-5)
        agree(result.cpu()[torch.from_numpy(loud)][None], expected[loud][None])
    else:
        agree(result, expected)


@calls
def test_whole_numbers_are_computed_as_float32(function, X):
    whole = np.nan_to_num(X).round().astype(np.int16)
    result = function(whole)
    expected = function(whole.astype(np.float32))
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, expected)


@calls
def test_other_tensors_are_refused(function, X):
    for tensor in (torch.from_numpy(X).half(), torch.ones(X.shape, dtype=torch.int32)):
        with pytest.raises(ValueError, match="tensor"):
            function(tensor)
