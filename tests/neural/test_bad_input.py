"""What cannot be trained on or predicted: class, cause and remedy in one message."""

import re

import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_predict
from torch import nn

from hmsklearn.neural import TimmClassifier, WaveformClassifier

ONE_CLASS_MISSING = pytest.mark.filterwarnings(
    "ignore:.*no window to train on has a vote"
)


def refuses(action, *parts, error=ValueError, caller="WaveformClassifier"):
    """Check that the message starts with the class and holds all parts in order."""
    pattern = "(?s)" + re.escape(caller) + ".*".join(["", *map(re.escape, parts)])
    with pytest.raises(error, match=pattern):
        action()


class TestTargets:
    def test_wrong_width(self, waveform, data):
        refuses(
            lambda: waveform().fit(data.X, data.votes[:, :5]),
            "y has 5 columns, expected 6, one for each of ['Seizure', 'LPD'",
        )

    def test_fractions_that_do_not_sum_to_one(self, waveform, data):
        y = data.fractions.copy()
        y[[3, 8]] *= 0.5
        refuses(
            lambda: waveform().fit(data.X, y),
            "neither whole vote counts nor fractions that sum to one (rows 3, 8)",
            "Divide every row by its sum, or pass the counts",
            "label-encoded its columns",
            "oof_predict_proba",
        )

    def test_label_encoding(self, waveform, data):
        # cross_val_predict turns each column of fractions into ranks.
        refuses(
            lambda: cross_val_predict(
                waveform(), data.X, data.fractions, method="predict_proba", cv=2
            ),
            "cross_val_predict(method='predict_proba') label-encodes y column by",
            "turns votes and fractions into ranks",
            "oof_predict_proba",
        )

    def test_negative_and_empty(self, waveform, data):
        y = data.votes.copy()
        y[5, 1] = -1
        refuses(lambda: waveform().fit(data.X, y), "y has negative votes (row 5)")
        y = data.votes.copy()
        y[5] = 0
        refuses(
            lambda: waveform().fit(data.X, y), "without any vote (row 5). Drop them"
        )

    def test_other_number_of_rows(self, waveform, data):
        refuses(
            lambda: waveform().fit(data.X, data.votes[:40]),
            "X has 96 windows, y has 40 rows",
        )

    def test_unknown_label(self, waveform, data):
        y = np.array(["Seizure", "LPDD"])[np.arange(96) % 2]
        refuses(lambda: waveform().fit(data.X, y), "'LPDD'", "Did you mean LPD")

    def test_class_never_voted(self, waveform, data):
        y = data.votes.copy()
        y[:, 2] = 0
        y[:, 0] += y.sum(axis=1) == 0
        with pytest.warns(
            UserWarning,
            match=r"WaveformClassifier: no window to train on has a vote for "
            r"\['GPD'\]\. The net can only learn that it never occurs: give more",
        ) as seen:
            clf = waveform(max_epochs=8).fit(data.X, y)
        assert clf.predict_proba(data.X)[:, 2].mean() < 0.05
        [warning] = seen
        assert warning.filename == __file__  # where fit was called


class TestPatients:
    def test_one_alone(self, waveform, data):
        refuses(
            lambda: waveform(early_stopping=True).fit(
                data.X, data.votes, groups=np.zeros(96)
            ),
            "early_stopping=True needs windows of at least 2 groups (patients)",
            "got 1. Turn it off or pass X_val and y_val",
        )
        # It can be trained on without.
        waveform(max_epochs=1).fit(data.X, data.votes, groups=np.zeros(96))

    def test_one_alone_beside_weights_of_zero(self, waveform, data):
        weight = (data.groups == 0).astype(float)
        refuses(
            lambda: waveform(early_stopping=True).fit(
                data.X, data.votes, groups=data.groups, sample_weight=weight
            ),
            "at least 2 groups (patients)",
        )


@ONE_CLASS_MISSING
class TestSizes:
    def test_batch_larger_than_the_data(self, waveform, data):
        with pytest.warns(
            UserWarning,
            match=r"WaveformClassifier: batch_size=64 is larger than the data, 20 "
            r"windows to train on: every epoch is one step\. Lower batch_size",
        ) as seen:
            waveform(batch_size=64).fit(data.X[:20], data.votes[:20])
        assert seen[-1].filename == __file__

    def test_batch_larger_than_the_windows_of_a_stage(self, waveform, data):
        clf = waveform(stages=[{"max_epochs": 1}, {"min_votes": 12}], batch_size=48)
        n = int((data.votes.sum(axis=1) >= 12).sum())
        with pytest.warns(
            UserWarning, match=f"stage 2: batch_size=48 is larger than the data, {n} "
        ):
            clf.fit(data.X, data.votes)

    @pytest.mark.parametrize("backbone", ["test_efficientnet", "resnet10t", "test_vit"])
    def test_image_below_the_stride(self, timm_classifier, data, backbone):
        refuses(
            lambda: timm_classifier(backbone).fit(data.images[..., :8, :8], data.votes),
            f"backbone {backbone!r}",
            "images of input_size=(8, 8) are smaller than the reduction",
            "Give larger images or another backbone",
            caller="TimmClassifier",
        )

    def test_windows_too_short(self, waveform, data):
        refuses(
            lambda: waveform().fit(data.X[..., :6], data.votes),
            "n_times=6",
            "too short",
            "longer windows",
        )

    def test_channels_changed(self, each, data):
        make, X = each
        clf = make(max_epochs=1).fit(X, data.votes)
        name = type(clf).__name__
        refuses(
            lambda: clf.predict_proba(X[:, :2]),
            f"X has 2 channels (axis 1), but {name} is expecting 3 channels",
            caller=name,
        )
        refuses(
            lambda: clf.predict(X[..., :-2]),
            "windows of X have shape",
            f"but {name} was fitted on windows of shape",
            "Give them the same length and preprocessing",
            caller=name,
        )


class TestNames:
    def test_parameter_of_the_estimator(self):
        refuses(
            lambda: TimmClassifier(bakbone="resnet10t"),
            " has no parameter 'bakbone'. Did you mean backbone",
            error=TypeError,
            caller="TimmClassifier",
        )
        refuses(
            lambda: WaveformClassifier(batchsize=3),
            " has no parameter 'batchsize'. Did you mean batch_size?",
            error=TypeError,
        )

    def test_backbone(self, timm_classifier, data):
        refuses(
            lambda: timm_classifier("tf_eficientnet_b0").fit(data.images, data.votes),
            "timm has no model 'tf_eficientnet_b0'. Did you mean 'tf_efficientnet_b0'",
            caller="TimmClassifier",
        )

    def test_parameter_of_the_backbone(self, timm_classifier, data):
        clf = timm_classifier(backbone_params={"globl_pool": "max"})
        refuses(
            lambda: clf.fit(data.images, data.votes),
            "backbone 'test_efficientnet'",
            "'globl_pool'",
            "parameters that this backbone takes",
            caller="TimmClassifier",
        )

    @pytest.mark.parametrize(
        ("params", "parts"),
        [
            (
                {"architecture": "resnet1d_gro"},
                ["'resnet1d_gro' is not known. Did you mean 'resnet1d_gru'"],
            ),
            (
                {"architecture_params": {"widht": 8}},
                ["has no parameter 'widht'. Did you mean width?"],
            ),
            (
                {"stages": [{}, {"max_epoch": 3}]},
                ["stage 2: 'max_epoch' is not known. Did you mean 'max_epochs'"],
            ),
            (
                {"stages": [{"device": "cpu"}]},
                ["stage 1: 'device' is the same in all stages. Give it to the est"],
            ),
            ({"stages": [{"rows": "several_clases"}]}, ["several_classes"]),
            ({"stages": [{"start": "emma"}, {}]}, ["start must be one of", "ema"]),
            (
                {"augment": ["mixap"]},
                ["augment: The augmentation 'mixap' is not known. Did you mean 'mi"],
            ),
            (
                {"augment": [("mixup", {"alfa": 1})]},
                ["augment", "Mixup has no parameter 'alfa'. Did you mean alpha"],
            ),
            ({"loss": "lk"}, ["loss='lk' is not known. Did you mean 'kl'?"]),
            (
                {"loss": "focal", "loss_params": {"gama": 1.0}},
                ["do not fit FocalLoss", "Did you mean gamma?"],
            ),
            (
                {"optimizer": "adamww"},
                ["optimizer='adamww' is not known. Did you mean 'adamw'"],
            ),
            (
                {"optimizer_params": {"epsi": 1}},
                ["optimizer='adamw' could not be built with", "epsi", "Check its"],
            ),
            ({"schedule": "cosin"}, ["schedule must be one of", "mean 'cosine'?"]),
            ({"sampling": "clas"}, ["sampling='clas' is not known", "'class'"]),
            (
                {"head": {"drp_rate": 0.5}},
                ["head={'drp_rate': 0.5}", "Did you mean drop_rate?"],
            ),
            ({"ema": {"deccay": 0.9}}, ["ema must be a decay or a dict", "deccay"]),
        ],
    )
    def test_nearest(self, waveform, data, params, parts):
        refuses(lambda: waveform(**params).fit(data.X, data.votes), *parts)


class TestDevices:
    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
    @pytest.mark.parametrize("device", ["cuda", "cuda:1"])
    def test_absent(self, each, data, device):
        make, X = each
        refuses(
            lambda: make(device=device).fit(X, data.votes),
            f"device={device!r} was asked for, but torch finds no CUDA device",
            "Give device='auto'",
            error=RuntimeError,
            caller=type(make()).__name__,
        )


class Greedy(nn.Module):
    """Ask for too much memory, as soon as there is a real batch."""

    in_training = True
    message = "CUDA out of memory. Tried to allocate 2.00 GiB."
    kind = torch.OutOfMemoryError

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.head = nn.Linear(n_chans * n_times, n_outputs)

    def forward(self, x):
        if self.training == self.in_training and len(x) > 1:
            raise self.kind(self.message)
        return self.head(x.flatten(1))


class TestMemory:
    remedy = [
        "Lower batch_size and raise accumulate by as much",
        "grad_checkpointing=True",
        "smaller net or windows",
        "Tried to allocate 2.00 GiB",
    ]

    @pytest.fixture
    def make(self, waveform, monkeypatch):
        def make(in_training=True, **params):
            monkeypatch.setattr(Greedy, "in_training", in_training)
            return waveform(architecture=Greedy, architecture_params=None, **params)

        return make

    def test_in_training(self, make, data):
        clf = make(batch_size=24)
        refuses(
            lambda: clf.fit(data.X, data.votes),
            "cpu ran out of memory with batch_size=24",
            *self.remedy,
            error=RuntimeError,
        )
        assert not hasattr(clf, "net_")

    def test_in_a_stage(self, make, data):
        stages = [{"batch_size": 12}]
        refuses(
            lambda: make(stages=stages).fit(data.X, data.votes),
            "ran out of memory with batch_size=12",
            *self.remedy,
            error=RuntimeError,
        )

    def test_in_partial_fit(self, make, data):
        refuses(
            lambda: make(batch_size=24).partial_fit(data.X, data.votes),
            "ran out of memory with batch_size=24",
            *self.remedy,
            error=RuntimeError,
        )

    def test_in_prediction(self, make, data):
        clf = make(in_training=False, batch_size=24).fit(data.X, data.votes)
        clf.set_params(batch_size=48)
        refuses(
            lambda: clf.predict_proba(data.X),
            "ran out of memory with batch_size=48",
            *self.remedy,
            error=RuntimeError,
        )
        clf.set_params(batch_size=1)
        assert clf.predict_proba(data.X).shape == (96, 6)

    def test_of_the_host(self, make, data, monkeypatch):
        monkeypatch.setattr(Greedy, "kind", RuntimeError)
        monkeypatch.setattr(
            Greedy, "message", "DefaultCPUAllocator: can't allocate memory: 9 bytes"
        )
        refuses(
            lambda: make().fit(data.X, data.votes),
            "ran out of memory with batch_size=16",
            "9 bytes",
            error=RuntimeError,
        )

    def test_other_errors_pass(self, make, data, monkeypatch):
        monkeypatch.setattr(Greedy, "kind", RuntimeError)
        monkeypatch.setattr(Greedy, "message", "something else")
        with pytest.raises(RuntimeError, match=r"^something else$"):
            make().fit(data.X, data.votes)
