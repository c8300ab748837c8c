"""Training, prediction, saving and resuming on a real CUDA device."""

import gc
import io
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from small_nets import SMALL
from torch import distributed, nn

from hmsklearn.augmentation import GaussianNoise, Mixup, TimeMask
from hmsklearn.ensemble import StackingKLClassifier, TestTimeAugmenter
from hmsklearn.imaging import ImageTiler
from hmsklearn.nets import list_nets, net_config
from hmsklearn.neural import (
    ImageClassifier,
    MultiViewClassifier,
    TimmClassifier,
    VideoClassifier,
    VoteLoss,
    WaveformClassifier,
)
from hmsklearn.neural._distributed import Processes
from hmsklearn.neural._ema import WeightEMA
from hmsklearn.preprocessing import MontageTransformer, NaNImputer
from hmsklearn.semi_supervised import PseudoLabelClassifier, SHOTClassifier
from hmsklearn.spectrogram import STFTSpectrogramizer
from hmsklearn.views import WindowViews

pytestmark = [
    pytest.mark.gpu,
    # Small parts of the data hold no votes for some classes, and less than a batch.
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
]

#: cuDNN rounds the factors of a float32 convolution to TF32: ten bits, 5e-4 of a value,
#: in every layer. Probabilities of small nets with logits of a few units bear this.
TF32 = 5e-3

#: The same without TF32: sums in another order.
EXACT = 1e-4

ESTIMATORS = {3: WaveformClassifier, 4: ImageClassifier, 5: VideoClassifier}


@pytest.fixture
def exact_convolutions():
    """Convolutions in float32, as on the CPU."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def saved(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


def on_the_cpu(estimator):
    """Load a copy of a fitted estimator on the CPU."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(torch.cuda, "is_available", lambda: False)
        warnings.filterwarnings("ignore", message=".*is loaded on the CPU")
        return saved(estimator)


def agrees_on_the_cpu(clf, X, atol=TF32):
    prob = clf.predict_proba(X)
    assert np.isfinite(prob).all()
    np.testing.assert_allclose(prob.sum(axis=1), 1, atol=1e-6)
    there = on_the_cpu(clf)
    np.testing.assert_allclose(there.predict_proba(X), prob, rtol=0, atol=atol)
    return there


def electrodes(data):
    """Twenty electrodes that record the three sources, one of them with gaps."""
    mixing = np.random.default_rng(1).standard_normal((20, 3))
    X = np.einsum("es,nst->net", mixing, data.X).astype(np.float32)
    X[::7, 4, 10:30] = np.nan
    return X


def to_images():
    return make_pipeline(
        NaNImputer(),
        MontageTransformer("double_banana_16"),
        STFTSpectrogramizer(
            n_fft=32, win_length=32, n_bins=16, hop_length=4, output="log1p"
        ),
        ImageTiler(),
    )


# -- nets --------------------------------------------------------------------------


@pytest.mark.parametrize("amp", [None, "bf16", "fp16"])
@pytest.mark.parametrize("name", list_nets())
def test_every_net(name, amp, exact_convolutions):
    small = SMALL[name]
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8, *small.shape)).astype(np.float32)
    y = 10 * np.eye(2, dtype=int)[np.arange(8) % 2]
    clf = ESTIMATORS[net_config(name).ndim](
        name,
        architecture_params=small.params,
        classes=["even", "odd"],
        max_epochs=2,
        batch_size=4,
        lr=1e-3,
        grad_checkpointing=small.checkpointing and amp == "bf16",
        amp=amp,
        device="cuda",
        random_state=0,
    ).fit(X, y)
    assert clf.device_ == "cuda"
    assert np.isfinite(clf.history_["train_loss"]).all()
    agrees_on_the_cpu(clf, X, EXACT)


# -- mixed precision ---------------------------------------------------------------


@pytest.mark.parametrize("amp", [None, "bf16", "fp16"])
def test_loss_falls(each, data, amp):
    make, X = each
    clf = make(device="auto", amp=amp, max_epochs=12).fit(X, data.votes)
    loss = clf.history_["train_loss"].to_numpy()
    assert np.isfinite(loss).all()
    assert loss[-1] < 0.5 * loss[0]
    # What is predicted is what was validated: in float32, whatever training took.
    assert {p.dtype for p in clf.net_.module_.parameters()} == {torch.float32}
    agrees_on_the_cpu(clf, X)


class Types(Callback):
    """Which type logits have, in training and validation."""

    seen: set = set()

    def on_batch_end(self, net, y_pred=None, training=None, **kwargs):
        self.seen.add((bool(training), y_pred.dtype, y_pred.device.type))


@pytest.mark.parametrize(
    ("amp", "dtype"),
    [("bf16", torch.bfloat16), ("fp16", torch.float16), (None, torch.float32)],
)
def test_precision_of_the_steps(waveform, data, amp, dtype):
    Types.seen.clear()
    clf = waveform(
        device="cuda", amp=amp, early_stopping=True, max_epochs=1, callbacks=[Types()]
    )
    clf.fit(data.X, data.votes, groups=data.groups)
    assert Types.seen == {(True, dtype, "cuda"), (False, torch.float32, "cuda")}


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
@pytest.mark.parametrize("loss", ["kl", "bce", "focal", "dirichlet_multinomial"])
def test_losses(waveform, data, loss, amp):
    clf = waveform(device="cuda", amp=amp, loss=loss, max_epochs=4)
    clf.fit(data.X, data.votes)
    values = clf.history_["train_loss"].to_numpy()
    assert np.isfinite(values).all()
    assert values[-1] < values[0]
    if clf.loss_ is not None:
        assert clf.loss_.log_concentration.device.type == "cpu"
    there = agrees_on_the_cpu(clf, data.X)
    assert (there.loss_ is None) == (clf.loss_ is None)


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
@pytest.mark.parametrize(
    "optimizer", ["sgd", "adan", "madgrad", "lookahead_adamw", "lamb"]
)
def test_optimizers(waveform, data, optimizer, amp):
    clf = waveform(
        device="cuda", amp=amp, optimizer=optimizer, clip_grad=1.0, max_epochs=3
    ).fit(data.X, data.votes)
    values = clf.history_["train_loss"].to_numpy()
    assert np.isfinite(values).all()
    assert values[-1] < values[0]


def test_everything_at_once_in_float16(waveform, data):
    clf = waveform(
        device="cuda",
        amp="fp16",
        accumulate=2,
        clip_grad=0.5,
        awp={"start": 1},
        ema={"decay": 0.9, "warmup": True},
        augment=["mixup", ("gaussian_noise", {"p": 0.5}), "label_smoothing"],
        early_stopping=True,
        evaluations_per_epoch=2,
        max_epochs=4,
        verbose=2,
    ).fit(data.X, data.votes, groups=data.groups)
    assert np.isfinite(clf.history_[["train_loss", "valid_kl"]]).all(axis=None)
    agrees_on_the_cpu(clf, data.X)


# -- speed and memory --------------------------------------------------------------


class NeverWaits(Callback):
    """Make torch refuse, within steps, whatever has the host wait for the GPU."""

    def on_batch_begin(self, net, training=None, **kwargs):
        if training:
            torch.cuda.set_sync_debug_mode("error")

    def on_batch_end(self, net, **kwargs):
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("with_frontend", [False, True])
def test_host_does_not_wait_within_a_step(
    waveform, timm_classifier, data, with_frontend
):
    common = {
        "device": "cuda",
        "amp": "bf16",
        "ema": 0.9,
        "clip_grad": 1.0,
        "callbacks": [NeverWaits()],
        "augment": [GaussianNoise(std=0.1), TimeMask(size=(2, 20)), Mixup()],
    }
    try:
        if with_frontend:
            clf = timm_classifier(frontend=to_images(), **common)
            # The first batch sends the frontend's filters to the GPU.
            clf.set_params(callbacks=None).fit(electrodes(data), data.votes)
            clf.set_params(callbacks=[NeverWaits()], warm_start=True)
            clf.fit(electrodes(data), data.votes)
        else:
            clf = waveform(**common).fit(data.X, data.votes)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert np.isfinite(clf.history_["train_loss"]).all()


def test_nothing_but_weights_stays(timm_classifier, data):
    def memory():
        gc.collect()
        return torch.cuda.memory_allocated()

    # What libraries take for themselves, they take once.
    timm_classifier(device="cuda", ema=0.9).fit(data.images, data.votes)
    before = memory()
    clf = timm_classifier(device="cuda", ema=0.9).fit(data.images, data.votes)
    state = clf.net_.module_.state_dict().values()
    # The allocator gives every tensor a multiple of 512 bytes.
    weights = sum(512 * -(-value.nbytes // 512) for value in state)
    assert memory() - before <= 1.1 * weights
    del clf, state
    assert memory() == before


def test_memory_of_prediction_does_not_grow(timm_classifier, data):
    clf = timm_classifier(device="cuda").fit(data.images, data.votes)
    peaks = []
    for times in (1, 1, 8):
        X = np.concatenate([data.images] * times)
        torch.cuda.reset_peak_memory_stats()
        assert clf.predict_proba(X).shape == (96 * times, 6)
        peaks.append(torch.cuda.max_memory_allocated())
    # The logits of 700 windows are 17 kB.
    assert peaks[2] - peaks[1] < 100_000


def test_out_of_memory_is_named(data):
    X = np.zeros((16, 3, 512, 512), np.float32)
    clf = TimmClassifier(
        "tf_efficientnet_b0", batch_size=16, max_epochs=1, device="cuda", amp=None
    )
    gc.collect()
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    # Half a gigabyte; the activations of this batch take several.
    torch.cuda.set_per_process_memory_fraction(2**29 / total)
    try:
        with pytest.raises(RuntimeError, match=r"ran out of memory with batch_size=16"):
            clf.fit(X, data.votes[:16])
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
        gc.collect()
        torch.cuda.empty_cache()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:TensorFloat32 tensor cores:UserWarning")
def test_compiled(waveform, data):
    pytest.importorskip("triton")
    clf = waveform(device="cuda", compile=True, max_epochs=3)
    clf.fit(data.X, data.votes)
    plain = waveform(device="cuda", max_epochs=3).fit(data.X, data.votes)
    # bfloat16 rounds elsewhere where operations are joined.
    np.testing.assert_allclose(
        clf.history_["train_loss"], plain.history_["train_loss"], atol=0.1
    )
    agrees_on_the_cpu(clf, data.X)


# -- averages and seeds ------------------------------------------------------------


def test_averages_are_those_of_the_cpu():
    def averaged(device):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.GRU(4, 2))
        net.to(device)
        ema = WeightEMA(net, decay=0.7, warmup=True)
        for step in range(5):
            with torch.no_grad():
                for i, p in enumerate(net.parameters()):
                    p.add_(0.1 * (i + step))
            ema.update(net)
        own = {name: value.clone() for name, value in net.state_dict().items()}
        with ema.swapped(net):
            inside = {n: v.cpu().clone() for n, v in net.state_dict().items()}
        assert all(torch.equal(v, own[n]) for n, v in net.state_dict().items())
        return inside

    for name, value in averaged("cpu").items():
        torch.testing.assert_close(averaged("cuda")[name], value)


def test_same_seed_same_net(each, data):
    make, X = each
    first, again, other = (
        make(device="cuda", random_state=seed).fit(X, data.votes) for seed in (0, 0, 1)
    )
    # Not bit for bit: cuDNN adds up gradients in any order, in bfloat16.
    difference = np.abs(first.predict_proba(X) - again.predict_proba(X)).max()
    assert difference < 0.05
    assert np.abs(first.predict_proba(X) - other.predict_proba(X)).max() > difference


# -- saving ------------------------------------------------------------------------

LOAD = """
import sys
import warnings

import joblib
import numpy as np
import torch

assert not torch.cuda.is_available()
torch.set_num_threads(1)
dump, windows, out = sys.argv[1:]
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    classifiers = joblib.load(dump)
assert sum("is loaded on the CPU" in str(w.message) for w in told) == 1, told
arrays = np.load(windows)
np.savez(out, **{k: c.predict_proba(arrays[k]) for k, c in classifiers.items()})
"""


def test_process_that_sees_no_gpu(waveform, timm_classifier, data, tmp_path):
    windows = {"waveform": data.X, "timm": data.images, "pipeline": electrodes(data)}
    steps = to_images()
    classifiers = {
        "waveform": waveform(
            device="cuda", amp="fp16", loss="dirichlet_multinomial", ema=0.9
        ),
        "timm": timm_classifier(device="auto"),
        "pipeline": make_pipeline(*steps, timm_classifier(device="auto")),
    }
    for name, clf in classifiers.items():
        clf.fit(windows[name], data.votes)
    paths = [tmp_path / name for name in ("dump.joblib", "windows.npz", "out.npz")]
    joblib.dump(classifiers, paths[0])
    assert b"cuda:0" not in paths[0].read_bytes()
    np.savez(paths[1], **windows)
    root = str(Path(__file__).parents[2])
    search = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": search}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *map(str, paths)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    out = np.load(paths[2])
    for name, clf in classifiers.items():
        prob = clf.predict_proba(windows[name])
        np.testing.assert_allclose(out[name], prob, rtol=0, atol=TF32)


def test_weights_of_one_fitted_on_the_gpu(waveform, data):
    source = waveform(device="cuda").fit(data.X, data.votes)
    still = {"lr": 1e-30, "weight_decay": 0.0, "max_epochs": 1}
    for device in ("cpu", "cuda"):
        clf = waveform(weights=source, device=device, **still).fit(data.X, data.votes)
        given = source.net_.module_.state_dict()
        for name, value in clf.net_.module_.named_parameters():
            torch.testing.assert_close(value.cpu(), given[name].cpu())
    clf = pickle.loads(pickle.dumps(source)).set_params(warm_start=True, **still)
    clf.fit(data.X, data.votes)
    for name, value in clf.net_.module_.named_parameters():
        torch.testing.assert_close(value, given[name])


def test_onnx(waveform, data):
    clf = waveform(device="cuda", engine="onnx").fit(data.X, data.votes)
    with pytest.raises(ValueError, match=r"engine='onnx' predicts on the CPU.*'cuda'"):
        clf.predict_proba(data.X)
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    there = on_the_cpu(clf)
    prob = there.predict_proba(data.X)
    clf.set_params(engine="torch")
    np.testing.assert_allclose(prob, clf.predict_proba(data.X), rtol=0, atol=TF32)


# -- several views, films, what is built around nets -------------------------------


def test_views(data):
    views = WindowViews(raw=data.X, eeg=electrodes(data))
    branches = [
        (
            "raw",
            WaveformClassifier(
                architecture_params={
                    **{"width": 8, "kernels": (3, 9)},
                    **{"n_blocks": 3, "gru_hidden": 0},
                }
            ),
        ),
        ("eeg", TimmClassifier("test_efficientnet", frontend=to_images())),
    ]
    clf = MultiViewClassifier(
        branches, max_epochs=3, batch_size=16, lr=5e-3, device="cuda", random_state=0
    ).fit(views, data.votes)
    loss = clf.history_["train_loss"].to_numpy()
    assert np.isfinite(loss).all()
    assert loss[-1] < loss[0]
    agrees_on_the_cpu(clf, views)


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_films(data, amp):
    films = np.ascontiguousarray(data.images[:, None, :, ::2, ::2])
    clf = VideoClassifier(
        "x3d_xs",
        architecture_params=SMALL["x3d_xs"].params,
        max_epochs=3,
        batch_size=8,
        lr=1e-2,
        amp=amp,
        device="cuda",
        random_state=0,
    ).fit(films, data.votes)
    loss = clf.history_["train_loss"].to_numpy()
    assert np.isfinite(loss).all()
    assert loss[-1] < loss[0]
    agrees_on_the_cpu(clf, films)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int16])
def test_number_types(waveform, data, dtype):
    X = data.X.astype(dtype)
    clf = waveform(device="cuda").fit(X, data.votes)
    agrees_on_the_cpu(clf, X)
    np.testing.assert_allclose(
        clf.predict_proba(X), clf.predict_proba(X.astype(np.float32)), atol=1e-6
    )


def test_frontend_and_pipeline_predict_the_same(timm_classifier, data):
    X = electrodes(data)
    net = timm_classifier(device="cuda").fit(to_images().fit_transform(X), data.votes)
    behind = timm_classifier(device="cuda", frontend=to_images(), weights=net)
    behind.set_params(lr=1e-30, weight_decay=0.0, max_epochs=1, ema=0.999999)
    behind.fit(X, data.votes)
    behind.net_.module_.body.load_state_dict(net.net_.module_.body.state_dict())
    np.testing.assert_allclose(
        behind.predict_proba(X),
        net.predict_proba(to_images().fit_transform(X)),
        atol=TF32,
    )


def test_looks_at_other_forms_of_a_window(waveform, data):
    net = waveform(device="cuda").fit(data.X, data.votes)
    names = ["Fp1", "Fp2", "Cz"]
    transforms = ["identity", "time_reverse", "polarity_flip", "mirror"]
    clf = TestTimeAugmenter(FrozenEstimator(net), transforms, ch_names=names)
    clf.fit(data.X, data.votes)
    inside = waveform(device="cuda", random_state=0)
    again = TestTimeAugmenter(inside, transforms, ch_names=names)
    again.fit(data.X, data.votes)
    assert again.estimator_.device_ == "cuda"
    for one in (clf, again):
        agrees_on_the_cpu(one, data.X)


class Tempered(VoteLoss):
    """The divergence at temperatures that are learned, one for each class."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(6))

    def cost(self, logits, fractions, total_votes=None):
        log_prob = torch.log_softmax(logits * self.scale, dim=1)
        return torch.special.entr(fractions).sum(1).neg() - (fractions * log_prob).sum(
            1
        )

    def probabilities(self, logits):
        return torch.softmax((logits * self.scale).double(), dim=1)


@pytest.mark.parametrize("loss", ["kl", Tempered])
def test_adapted_to_other_windows(waveform, data, more_data, loss):
    net = waveform(device="cuda", loss=loss).fit(data.X, data.votes)
    clf = SHOTClassifier(FrozenEstimator(net), max_epochs=2, random_state=0)
    clf.fit(data.X, data.votes, X_target=2 * more_data.X)
    assert clf.estimator_.device_ == "cuda"
    assert np.isfinite(clf.history_["loss"]).all()
    agrees_on_the_cpu(clf, 2 * more_data.X)


def test_teachers_and_student(waveform, data):
    # Half of the windows have enough votes to teach.
    least = int(np.median(data.votes.sum(axis=1)))
    clf = PseudoLabelClassifier(waveform(device="cuda"), min_votes=least, teacher_cv=2)
    clf.fit(data.X, data.votes, groups=data.groups)
    agrees_on_the_cpu(clf, data.X)


def test_stack(waveform, timm_classifier, data):
    X = electrodes(data)
    members = [
        ("raw", make_pipeline(NaNImputer(), waveform(device="cuda"))),
        ("image", timm_classifier(device="auto", frontend=to_images())),
    ]
    clf = StackingKLClassifier(members, cv=2).fit(X, data.votes, groups=data.groups)
    agrees_on_the_cpu(clf, X)


# -- training in several processes --------------------------------------------------


@pytest.fixture
def alone_with_nccl(tmp_path, monkeypatch):
    """The group of one process that a launcher would make of this one."""
    monkeypatch.setenv("NCCL_SOCKET_IFNAME", "lo")
    store = f"file://{tmp_path / 'store'}"
    distributed.init_process_group("nccl", init_method=store, world_size=1, rank=0)
    try:
        yield Processes(
            SimpleNamespace(
                num_processes=1, process_index=0, device=torch.device("cuda:0")
            )
        )
    finally:
        distributed.destroy_process_group()


@pytest.mark.filterwarnings("default")  # of NCCL, about what it guesses
def test_what_processes_send(alone_with_nccl):
    workers = alone_with_nccl
    net = nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.Linear(6, 1))
    net.to("cuda")
    net(torch.randn(5, 2, 8, device="cuda")).sum().backward()
    net[2].bias.grad = None  # a layer that was left out
    gradients = [None if p.grad is None else p.grad.clone() for p in net.parameters()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    workers.sum_gradients(list(net.parameters()))
    workers.average_statistics(net, 1.0)
    workers.copy_from_main(net)
    for parameter, gradient in zip(net.parameters(), gradients, strict=True):
        if gradient is None:
            assert parameter.grad is None
        else:
            torch.testing.assert_close(parameter.grad, gradient)
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, state[name])
    assert workers.same(np.array([3, 1, 2])).tolist() == [3, 1, 2]
    assert float(workers.mean(torch.tensor(2.0, device="cuda"), 0.5)) == 1.0
    assert workers.gather({"a": torch.ones(2)})[0]["a"].tolist() == [1, 1]
    assert workers.from_main("mark") == "mark"
    assert workers.any(True)
    assert not workers.any(False)


@pytest.mark.filterwarnings("default")
def test_training_as_one_of_the_processes(
    alone_with_nccl, waveform, data, monkeypatch, tmp_path
):
    plain = waveform(device="cuda", amp="fp16").fit(data.X, data.votes)
    monkeypatch.setattr(
        "hmsklearn.neural._fit_steps.find_workers", lambda *a, **k: alone_with_nccl
    )
    clf = waveform(device="cuda", amp="fp16", checkpoint=tmp_path, distributed=True)
    clf.fit(data.X, data.votes)
    assert clf.device_ == "cuda:0"
    np.testing.assert_allclose(
        clf.history_["train_loss"], plain.history_["train_loss"], atol=2e-2
    )
