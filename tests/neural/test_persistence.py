"""Saved classifiers: small, complete, at home on any machine."""

import copy
import io
import pickle
import subprocess
import sys
import time
import warnings

import joblib
import numpy as np
import pytest
import timm
import torch
from skorch.callbacks import Callback
from skorch.exceptions import SkorchTrainingImpossibleError
from torch import nn

from hmsklearn.nets import TimmNet, create_net
from hmsklearn.neural import _device
from hmsklearn.neural._persistence import PackedWeights, pack_weights, unpack_weights

# Small parts of the data hold no votes for some classes, and less than a batch.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
]


class Hoarder(Callback):
    """A callback that keeps all it sees."""

    def __init__(self, name="hoarder"):
        self.name = name

    def on_train_begin(self, net, X=None, **kwargs):
        self.data_ = X.X


def dumped_size(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    return file.getbuffer().nbytes


def weights_size(estimator):
    state = estimator.net_.module_.state_dict()
    return sum(value.nbytes for value in state.values())


@pytest.fixture
def fitted(each, data):
    make, X = each
    return make().fit(X, data.votes), X


class TestRoundTrip:
    @pytest.mark.parametrize(
        "carry",
        [lambda clf: pickle.loads(pickle.dumps(clf)), copy.deepcopy],
        ids=["pickle", "deepcopy"],
    )
    def test_same_bits(self, fitted, carry, data):
        clf, X = fitted
        loaded = carry(clf)
        expected = clf.predict_proba(X)
        assert np.array_equal(loaded.predict_proba(X), expected)
        assert repr(loaded.history_) == repr(clf.history_)
        assert loaded.get_params() == clf.get_params()
        assert np.array_equal(loaded.classes_, clf.classes_)
        # It can be saved again, and trained again.
        assert np.array_equal(carry(loaded).predict_proba(X), expected)
        assert np.array_equal(loaded.fit(X, data.votes).predict_proba(X), expected)

    def test_joblib(self, fitted, tmp_path):
        clf, X = fitted
        joblib.dump(clf, tmp_path / "clf.joblib")
        loaded = joblib.load(tmp_path / "clf.joblib")
        assert np.array_equal(loaded.predict_proba(X), clf.predict_proba(X))

    def test_unfitted(self, each):
        make, _ = each
        clf = make(callbacks=[Hoarder()])
        loaded = pickle.loads(pickle.dumps(clf))
        assert not hasattr(loaded, "net_")
        assert repr(loaded.set_params(callbacks=None)) == repr(make())

    def test_parameters_changed_after_fit(self, timm_classifier, data):
        clf = timm_classifier(max_epochs=1).fit(data.images, data.votes)
        expected = clf.predict_proba(data.images)
        clf.set_params(backbone="resnet10t", input_norm=None)
        loaded = pickle.loads(pickle.dumps(clf))
        assert np.array_equal(loaded.predict_proba(data.images), expected)

    def test_loading_leaves_the_random_state_alone(self, fitted):
        clf, _ = fitted
        dump = pickle.dumps(clf)
        torch.manual_seed(0)
        before = torch.get_rng_state()
        pickle.loads(dump)
        assert torch.equal(before, torch.get_rng_state())

    def test_loaded_net_cannot_go_on_training(self, fitted):
        clf, X = fitted
        for net in (clf.net_, pickle.loads(pickle.dumps(clf)).net_):
            with pytest.raises(SkorchTrainingImpossibleError):
                net.partial_fit(X, None)


class TestSize:
    @pytest.mark.parametrize("backbone", ["test_efficientnet", "mobilenetv3_small_050"])
    def test_images(self, timm_classifier, data, backbone):
        clf = timm_classifier(backbone, max_epochs=1).fit(data.images, data.votes)
        assert dumped_size(clf) <= 1.02 * weights_size(clf)

    def test_signals(self, waveform, data):
        clf = waveform(architecture_params=None, max_epochs=1)
        clf.fit(data.X, data.votes)
        assert dumped_size(clf) <= 1.02 * weights_size(clf)

    def test_callbacks_are_saved_without_what_they_gathered(self, waveform, data):
        hoarder = Hoarder("mine")
        clf = waveform(callbacks=[hoarder, ("other", Hoarder)])
        clf.fit(data.X, data.votes)
        assert hoarder.data_.shape == data.X.shape
        loaded = pickle.loads(pickle.dumps(clf))
        assert loaded.callbacks[0].name == "mine"
        assert not hasattr(loaded.callbacks[0], "data_")
        assert hoarder.data_ is clf.callbacks[0].data_  # the original keeps it
        assert dumped_size(clf) < dumped_size(clf.set_params(callbacks=None)) + 1000

    def test_best_epoch_is_not_saved_twice(self, waveform, data):
        clf = waveform(architecture_params=None, max_epochs=1, early_stopping=True)
        clf.fit(data.X, data.votes, groups=data.groups)
        assert dumped_size(clf) <= 1.02 * weights_size(clf)


@pytest.mark.slow
def test_loading_takes_little_more_than_building_and_reading(timm_classifier, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4, 1, 64, 64), dtype=np.float32)
    clf = timm_classifier("tf_efficientnet_b0", max_epochs=1).fit(X, np.arange(4))
    joblib.dump(clf, tmp_path / "clf.joblib")
    torch.save(clf.net_.module_.body.state_dict(), tmp_path / "weights.pt")

    def load():
        joblib.load(tmp_path / "clf.joblib")

    def build_and_read():
        body = TimmNet(1, 6, (64, 64), backbone="tf_efficientnet_b0")
        body.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))

    def shortest(function):
        times = []
        for _ in range(5):
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
        return min(times)

    assert shortest(load) <= 1.5 * shortest(build_and_read)


class TestDevices:
    def test_fitted_on_a_gpu_loaded_without(self, fitted, monkeypatch):
        clf, X = fitted
        expected = clf.predict_proba(X)
        # What a dump from a GPU machine holds: the parameter, no CUDA tensors.
        clf.device, clf.device_, clf.net_.device = "cuda", "cuda", "cuda"
        dump = pickle.dumps(clf)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.warns(UserWarning, match="device='cuda', which this machine") as w:
            loaded = pickle.loads(dump)
        assert len(w) == 1
        assert loaded.device_ == "cpu"
        assert loaded.device == "cuda"  # the parameter is the user's
        assert np.array_equal(loaded.predict_proba(X), expected)
        with pytest.raises(RuntimeError, match="device='cuda' was asked for"):
            loaded.fit(X, np.arange(len(X)) % 6)
        loaded.set_params(device="auto").fit(X, np.arange(len(X)) % 6)

    def test_auto_changes_silently(self, fitted, monkeypatch):
        clf, X = fitted
        expected = clf.predict_proba(X)
        clf.device, clf.device_, clf.net_.device = "auto", "cuda", "cuda"
        dump = pickle.dumps(clf)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            loaded = pickle.loads(dump)
        assert loaded.device_ == "cpu"
        assert np.array_equal(loaded.predict_proba(X), expected)

    def test_dump_holds_no_device(self, fitted):
        clf, _ = fitted
        # Tensors pickled as such carry "cpu" or "cuda:0" and torch's storage classes.
        dump = pickle.dumps(clf)
        assert b"torch.storage" not in dump
        assert b"_rebuild_tensor" not in dump

    def test_goes_to_the_gpu_where_there_is_one(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
        assert _device.resolve_device("auto", caller="test") == "cuda"
        assert _device.device_for_loading("cuda:0", caller="test") == "cuda:0"
        with pytest.warns(UserWarning, match="device='cuda:3'"):
            assert _device.device_for_loading("cuda:3", caller="test") == "cpu"
        with pytest.raises(RuntimeError, match=r"finds 1 CUDA device\(s\)"):
            _device.resolve_device("cuda:3", caller="test")

    @pytest.mark.parametrize(
        ("capability", "dtype"), [((7, 5), torch.float16), ((9, 0), torch.bfloat16)]
    )
    def test_precision_of_a_gpu(self, monkeypatch, capability, dtype):
        monkeypatch.setattr(
            torch.cuda, "get_device_capability", lambda device=None: capability
        )
        assert _device.resolve_amp("auto", "cuda", caller="test") == dtype
        assert _device.resolve_amp(None, "cuda", caller="test") is None
        assert _device.resolve_amp("fp16", "cuda", caller="test") == torch.float16

    @pytest.mark.gpu
    def test_round_trip_on_the_gpu(self, each, data):
        make, X = each
        clf = make(device="cuda").fit(X, data.votes)
        dump = pickle.dumps(clf)
        assert b"cuda:0" not in dump
        loaded = pickle.loads(dump)
        assert loaded.device_ == "cuda"
        np.testing.assert_allclose(
            loaded.predict_proba(X), clf.predict_proba(X), atol=1e-5
        )


OFFLINE = """
import socket
import sys

def refuse(*args, **kwargs):
    raise OSError("no network here")

socket.socket.connect = socket.socket.connect_ex = refuse
socket.getaddrinfo = socket.create_connection = refuse

import joblib
import numpy as np
import torch

assert not torch.cuda.is_available()
torch.set_num_threads(1)
dump, windows, out = sys.argv[1:]
classifiers = joblib.load(dump)
arrays = np.load(windows)
np.savez(out, **{k: c.predict_proba(arrays[k]) for k, c in classifiers.items()})
"""


def test_process_without_network_and_gpu(waveform, timm_classifier, data, tmp_path):
    windows = {"waveform": data.X, "timm": data.images}
    weights = tmp_path / "start.pt"
    body = timm.create_model("test_efficientnet", num_classes=10)
    torch.save(body.state_dict(), weights)
    classifiers = {
        "waveform": waveform().fit(data.X, data.votes),
        "timm": timm_classifier(weights=weights).fit(data.images, data.votes),
    }
    weights.unlink()  # a fitted classifier needs no file any more
    np.savez(tmp_path / "windows.npz", **windows)
    joblib.dump(classifiers, tmp_path / "dump.joblib")
    subprocess.run(
        [
            sys.executable,
            "-W",
            "error::UserWarning:hmsklearn",
            "-c",
            OFFLINE,
            *(str(tmp_path / n) for n in ("dump.joblib", "windows.npz", "out.npz")),
        ],
        check=True,
        env={"CUDA_VISIBLE_DEVICES": "", "PATH": "", "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    out = np.load(tmp_path / "out.npz")
    for name, clf in classifiers.items():
        np.testing.assert_allclose(
            out[name], clf.predict_proba(windows[name]), rtol=0, atol=1e-7
        )


class TestPacking:
    def test_all_types_and_shapes(self):
        state = {
            "a": torch.randn(3, 4).t(),
            "half": torch.randn(3).half(),
            "brain": torch.randn(2, 2).bfloat16(),
            "count": torch.tensor(7),
            "flag": torch.tensor([True, False, True]),
            "empty": torch.zeros(0, 3),
            "channels_last": torch.randn(2, 3, 4, 5).to(
                memory_format=torch.channels_last
            ),
        }
        packed = pack_weights(state)
        assert packed.data.nbytes == sum(v.nbytes for v in state.values())
        unpacked = unpack_weights(pickle.loads(pickle.dumps(packed)))
        assert list(unpacked) == list(state)
        for name, value in state.items():
            assert unpacked[name].dtype == value.dtype
            assert torch.equal(unpacked[name], value), name

    def test_nothing(self):
        assert unpack_weights(pack_weights(nn.Identity().state_dict())) == {}

    @pytest.mark.parametrize("cut", [slice(0, 40), slice(0, 8)])
    def test_damaged(self, cut):
        packed = pack_weights({"a": torch.randn(10), "b": torch.randn(2)})
        with pytest.raises(ValueError, match="file is damaged"):
            unpack_weights(PackedWeights(packed.layout, packed.data[cut]))

    def test_of_a_registered_net(self):
        net = create_net("resnet1d_gru", 2, 6, 500)
        state = unpack_weights(pack_weights(net.state_dict()))
        assert all(torch.equal(state[k], v) for k, v in net.state_dict().items())
