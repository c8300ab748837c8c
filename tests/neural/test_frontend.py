"""Frontends: the numbers of the pipeline, as a module."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from hmsklearn.datasets import HMSReader
from hmsklearn.imaging import (
    ChainMean,
    ImageResizer,
    ImageStandardizer,
    ImageTiler,
    PlaneContrast,
    ViewUnion,
    WaveformImager,
    WaveformPlotter,
    WindowUnion,
)
from hmsklearn.neural import Frontend
from hmsklearn.pipeline import RowPipeline
from hmsklearn.preprocessing import (
    AmplitudeScaler,
    ButterworthFilter,
    CentreCrop,
    Decimator,
    FIRFilter,
    MontageTransformer,
    NaNImputer,
    NotchFilter,
    RobustChannelScaler,
)
from hmsklearn.spectrogram import (
    HostSpectrogramizer,
    MelSpectrogramizer,
    MultitaperSpectrogramizer,
    STFTSpectrogramizer,
    WaveletScalogramizer,
)
from hmsklearn.testing._instances import CASES

# Bands narrower than the transform's bins, as the solutions had them.
pytestmark = pytest.mark.filterwarnings("ignore:.*has no content:UserWarning")


def film():
    """Frames of the whole and of its centre, as the nets for films take them."""
    common = {"n_fft": 512, "win_length": 128, "n_bins": 61, "output": "linear"}
    zoom = STFTSpectrogramizer(hop_length=10, exponent=1, scale=1000, **common)
    whole = STFTSpectrogramizer(hop_length=50, exponent=1, scale=1000, **common)
    return make_pipeline(
        NaNImputer(),
        MontageTransformer("double_banana_16"),
        WindowUnion(
            [("zoom", make_pipeline(CentreCrop(10), zoom)), ("whole", whole)],
            join="planes",
        ),
        ImageTiler("planes", n_planes=3, frames=True),
    )


def three_planes():
    tiles = ImageTiler()
    return make_pipeline(
        NaNImputer("linear"),
        MontageTransformer("double_banana_16"),
        MelSpectrogramizer(n_fft=512, n_mels=64, fmin=0.53, fmax=30, hop_length=32),
        WindowUnion(
            [
                ("itself", tiles),
                ("others", make_pipeline(PlaneContrast(), tiles)),
                ("passed", make_pipeline("passthrough", tiles)),
                ("left_out", "drop"),
            ],
            join="planes",
        ),
        ImageResizer((256, 256)),
        ImageStandardizer(),
    )


#: What solutions put in front of their nets: windows of the competition to its input.
PIPELINES = {
    "mel": lambda: make_pipeline(
        NaNImputer(),
        MontageTransformer(),
        ButterworthFilter(0.5, 20.0),
        MelSpectrogramizer(),
        ChainMean(),
    ),
    "film": film,
    "three planes": three_planes,
    "signal": lambda: make_pipeline(
        NaNImputer(),
        make_pipeline(MontageTransformer("double_banana_16"), "passthrough"),
        NotchFilter(),
        FIRFilter(0.5, 40.0),
        Decimator(5, method="mean"),
        AmplitudeScaler(clip=1024, scale=32),
    ),
    "causal": lambda: make_pipeline(
        NaNImputer(),
        MontageTransformer("transverse_24"),
        ButterworthFilter(0.5, 20.0, phase="causal"),
        RobustChannelScaler(),
    ),
    "host": HostSpectrogramizer,
    "multitaper": lambda: make_pipeline(
        NaNImputer(),
        MontageTransformer(),
        MultitaperSpectrogramizer(),
        ChainMean(),
    ),
    "wavelets": lambda: make_pipeline(
        NaNImputer(), MontageTransformer(), WaveletScalogramizer(), ChainMean()
    ),
    "traces": lambda: make_pipeline(
        NaNImputer(),
        MontageTransformer("double_banana_16"),
        ButterworthFilter(0.5, 20.0),
        WaveformImager(),
    ),
    "drawing": lambda: make_pipeline(
        NaNImputer(), MontageTransformer(), WaveformPlotter(height=200, width=400)
    ),
}

INSTANCES = [
    case
    for case in CASES
    if case.kind in ("windows", "images")
    and hasattr(case.estimator_class, "transform")
    and case.estimator_class is not ViewUnion  # gives views, not windows
    and case.estimator_class is not RowPipeline  # ends in a classifier
]


def test_a_union_of_views_is_no_frontend():
    union = ViewUnion([("eeg", "passthrough"), ("slow", Decimator(2))])
    with pytest.raises(ValueError, match="not a tensor with"):
        Frontend(union, (4, 200))


over_instances = pytest.mark.parametrize(
    "case", INSTANCES, ids=[f"{c.path}-{i}" for i, c in enumerate(INSTANCES)]
)
over_pipelines = pytest.mark.parametrize("name", PIPELINES)


@pytest.fixture(scope="module")
def recording():
    """Simulated EEG with gaps: (2, 20, 10000) microvolt."""
    rng = np.random.default_rng(5)
    t = np.arange(10_000) / 200
    X = 10 * rng.normal(size=(2, 20, 10_000)).cumsum(axis=-1) / 14
    X -= X.mean(axis=-1, keepdims=True)
    X += 40 * np.sin(2 * np.pi * 9.5 * t + rng.uniform(0, 6, (2, 20, 1)))
    X[0, 3, 500:900] = np.nan
    X[1, 7] = np.nan
    return X.astype(np.float32)


def agree(result, expected):
    assert isinstance(result, torch.Tensor)
    assert result.dtype == torch.float32
    result = result.detach().cpu().numpy()
    assert result.shape == expected.shape
    np.testing.assert_array_equal(np.isnan(result), np.isnan(expected))
    limit = 1e-4 * np.nanmax(np.abs(expected))
    np.testing.assert_allclose(result, expected, rtol=0, atol=limit)


def compare(transformer, X, device="cpu"):
    frontend = Frontend(transformer, X.shape[1:]).to(device)
    expected = transformer.fit(X).transform(X)
    assert frontend.output_shape == expected.shape[1:]
    agree(frontend(torch.tensor(X, device=device)), expected)


def case_data(case):
    return case.make_data().X.astype(np.float32)


@over_instances
def test_every_transformer(case):
    compare(case.make_estimator(), case_data(case))


@over_pipelines
def test_pipelines(name, recording):
    compare(PIPELINES[name](), recording)


@over_pipelines
def test_pipelines_on_real_windows(name, real_windows):
    compare(PIPELINES[name](), real_windows[:2])


@over_instances
@pytest.mark.gpu
def test_every_transformer_cuda(case):
    compare(case.make_estimator(), case_data(case), "cuda")


@over_pipelines
@pytest.mark.gpu
def test_pipelines_cuda(name, recording):
    compare(PIPELINES[name](), recording, "cuda")


def test_all_tensor_transformers_are_compared():
    kinds = {type(case.make_estimator()).__name__ for case in INSTANCES}
    assert {"MelSpectrogramizer", "WindowUnion", "ChannelQuality"} <= kinds
    assert len(INSTANCES) > 30


# -- as a module ----------------------------------------------------------------


@pytest.fixture
def chain():
    """Montage, filter and spectrogram of two seconds."""
    return make_pipeline(
        MontageTransformer(),
        ButterworthFilter(2.0, 20.0),
        STFTSpectrogramizer(n_fft=64, hop_length=20),
    )


@pytest.fixture
def frontend(chain):
    return Frontend(chain, (20, 400))


def test_nothing_to_learn_or_to_move(frontend):
    assert list(frontend.parameters()) == []
    assert list(frontend.buffers()) == []
    assert frontend.state_dict() == {}


def test_the_transformer_is_left_alone(chain, frontend):
    assert not hasattr(chain[0], "n_features_in_")
    assert frontend.transformer[0].n_features_in_ == 20
    assert frontend.transformer[0] is not chain[0]


def test_pickle_is_small(frontend, signals):
    x = torch.from_numpy(signals)
    expected = frontend(x)
    state = pickle.dumps(frontend)
    # Not the copies for the tensors it has seen.
    assert len(state) < len(pickle.dumps(frontend.transformer)) + 2_000
    torch.testing.assert_close(pickle.loads(state)(x), expected, rtol=0, atol=0)


def test_deepcopy(frontend, signals):
    x = torch.from_numpy(signals)
    copied = copy.deepcopy(frontend)
    assert copied.transformer[0] is not frontend.transformer[0]
    assert copied._steps[0][1] is copied.transformer[0]
    torch.testing.assert_close(copied(x), frontend(x), rtol=0, atol=0)


def test_in_float32_under_autocast(frontend, signals):
    x = torch.from_numpy(signals)
    expected = frontend(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = frontend(x)
        assert torch.is_autocast_enabled("cpu")
    torch.testing.assert_close(result, expected, rtol=0, atol=0)


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_in_float32_under_autocast_cuda(frontend, signals, dtype):
    x = torch.from_numpy(signals).cuda()
    expected = frontend(x)
    with torch.autocast("cuda", dtype=dtype):
        result = frontend(x)
    torch.testing.assert_close(result, expected, rtol=0, atol=0)


@pytest.mark.gpu
def test_from_device_to_device(frontend, signals):
    x = torch.from_numpy(signals)
    expected = frontend(x)
    net = torch.nn.Sequential(frontend, torch.nn.Flatten(), torch.nn.LazyLinear(2))
    net(x)
    net.to("cuda")
    torch.testing.assert_close(net[0](x.cuda()).cpu(), expected, rtol=1e-4, atol=1e-4)
    assert net(x.cuda()).device.type == "cuda"
    net.to("cpu")
    torch.testing.assert_close(net[0](x), expected, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_floats_are_computed_as_float32(frontend, signals, dtype):
    x = torch.from_numpy(signals).to(dtype)
    torch.testing.assert_close(frontend(x), frontend(x.float()), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["mel", "film", "signal"])
def test_inference_first_training_next(name, recording):
    """What prediction has prepared must not be in the way of a gradient."""
    frontend = Frontend(PIPELINES[name](), recording.shape[1:])
    x = torch.from_numpy(recording)
    with torch.inference_mode():
        expected = frontend(x)
    result = frontend(x)
    assert not result.is_inference()
    assert not result.requires_grad
    torch.testing.assert_close(result, expected.clone(), rtol=0, atol=0)
    layer = torch.nn.Linear(result.shape[-1], 1)
    layer(result).square().mean().backward()
    assert layer.weight.grad.abs().max() > 0


@pytest.mark.parametrize("name", ["mel", "film", "signal"])
def test_many_windows_are_computed_as_few(name, recording):
    """In parts on a CPU, where no gradient is asked for."""
    frontend = Frontend(PIPELINES[name](), recording.shape[1:])
    x = torch.from_numpy(recording[[0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]])
    expected = frontend(x[:2])
    whole = frontend(x.clone().requires_grad_()).detach()
    for result in (frontend(x), whole):
        assert result.shape == (11, *frontend.output_shape)
        for start in range(0, 10, 2):
            agree(result[start : start + 2], expected.numpy())
        agree(result[10:], expected[:1].numpy())


def test_gradient_reaches_an_input_that_asks_for_one(frontend, signals):
    x = torch.tensor(signals, requires_grad=True)
    frontend(x).mean().backward()
    assert x.grad.abs().max() > 0


def test_writes_nothing_into_the_batch(signals):
    frontend = Frontend(make_pipeline(NaNImputer(), AmplitudeScaler()), (20, 400))
    signals[0, 0, :9] = np.nan
    x = torch.from_numpy(signals.copy())
    frontend(x)
    np.testing.assert_array_equal(x.numpy(), signals)


@pytest.mark.parametrize(
    ("first", "allowed"), [(NaNImputer(), True), (NotchFilter(), False)]
)
def test_nan_where_the_first_step_allows_it(first, allowed):
    frontend = Frontend(make_pipeline("passthrough", first, NaNImputer()), (4, 200))
    assert frontend.allow_nan is allowed


def test_images_laid_out_channels_last(rng):
    X = rng.random((3, 5, 6, 8), np.float32)
    steps = make_pipeline(ImageTiler((2, 3), n_planes=3), ImageResizer((9, 7)))
    frontend = Frontend(steps, X.shape[1:])
    x = torch.from_numpy(X)
    last = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(frontend(last), frontend(x))


def test_the_random_state_is_left_alone(chain):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    Frontend(chain, (20, 400))
    assert torch.equal(torch.get_rng_state(), before)


def test_nothing_at_all(signals):
    frontend = Frontend("passthrough", (20, 400))
    assert frontend.output_shape == (20, 400)
    assert frontend.allow_nan is False
    x = torch.from_numpy(signals)
    torch.testing.assert_close(frontend(x), x, rtol=0, atol=0)


def test_repr_names_the_steps(frontend):
    assert "MontageTransformer -> ButterworthFilter" in repr(frontend)
    assert "(20, 400) -> (18, " in repr(frontend)


# -- steps of others ------------------------------------------------------------


class Halver:
    """Anything with a transform."""

    def transform(self, X):
        return X / 2


def halve(X):
    return X / 2


class Lister:
    def transform(self, X):
        return X.tolist()


class Learner(TransformerMixin, BaseEstimator):
    """What scikit-learn takes to learn, since it does not say otherwise."""

    def fit(self, X, y=None):
        self.mean_ = X.mean()
        return self

    def transform(self, X):
        return X - self.mean_


class ArraysOnly(NaNImputer):
    """A transformer of this package that takes no tensors."""

    _takes_tensors = False


def test_any_object_that_maps_tensors(signals):
    x = torch.from_numpy(signals)
    for step in (Halver(), FunctionTransformer(halve)):
        frontend = Frontend(make_pipeline(NotchFilter(), step), (20, 400))
        expected = Frontend(NotchFilter(), (20, 400))(x) / 2
        torch.testing.assert_close(frontend(x), expected)


@pytest.mark.parametrize(
    ("step", "named", "cause"),
    [
        (StandardScaler(), "standardscaler", "learns from the data"),
        (Learner(), "learner", "learns from the data"),
        (WindowUnion([("a", Learner())]), "windowunion__a", "learns from the data"),
        (ArraysOnly(), "arraysonly", "takes no torch tensors"),
        (HMSReader("nowhere"), "hmsreader", "cannot transform a tensor"),
        # Works on a tensor of the CPU, by way of an array.
        (FunctionTransformer(np.sqrt), "functiontransformer", "cannot transform"),
        (MontageTransformer(), "montagetransformer", r"shape \(4, 200\).*ch_names"),
        (Lister(), "lister", "gives list"),
    ],
)
def test_unusable_steps_are_named(step, named, cause):
    steps = make_pipeline(NaNImputer(), make_pipeline(step), NaNImputer())
    with pytest.raises(ValueError, match=f"^Frontend: .*{named}.*{cause}") as caught:
        Frontend(steps, (4, 200))
    assert "leave it in the Pipeline" in str(caught.value)


def test_no_transformer():
    for wrong in (3, NaNImputer, torch.nn.ReLU()):
        with pytest.raises(TypeError, match="must be a transformer"):
            Frontend(wrong, (4, 200))


def test_wrong_windows(frontend):
    with pytest.raises(ValueError, match=r"shape \(20, 300\).*made for \(20, 400\)"):
        frontend(torch.zeros(1, 20, 300))


@pytest.mark.parametrize("shape", [(4, 0), (4, 2.5)])
def test_wrong_shape(shape):
    with pytest.raises(ValueError, match="TimmClassifier: input_shape"):
        Frontend(NaNImputer(), shape, caller="TimmClassifier")
