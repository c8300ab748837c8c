"""The course of a training: weights, validation, stopping, callbacks, failures."""

import math
import re

import numpy as np
import pytest
import torch
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    GradientNormClipping,
    LRScheduler,
    PrintLog,
    ProgressBar,
)
from torch import nn

from hmsklearn.metrics import kl_divergence
from hmsklearn.neural._batches import BatchIterator
from hmsklearn.neural._data import WindowDataset
from hmsklearn.neural._net import VoteNet

# Small parts of the data hold no votes for some classes, and less than a batch.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*no window to train on has a vote"),
    pytest.mark.filterwarnings("ignore:.*is larger than the data"),
]


class Recorder(Callback):
    """Keep what was trained on and validated on."""

    def on_train_begin(self, net, **kwargs):
        self.batches_, self.rates_ = [], []

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.train_, self.valid_ = (
            dataset_train.rows,
            getattr(dataset_valid, "rows", None),
        )

    def on_batch_end(self, net, batch=None, training=None, **kwargs):
        if training:
            self.batches_.append(batch)
            self.rates_.append(net.optimizer_.param_groups[0]["lr"])


class TestWeights:
    def test_weights_change_the_fit(self, waveform):
        # Twice the same windows with opposite labels: the weights alone decide.
        X = np.random.default_rng(0).standard_normal((40, 2, 32))
        X = np.concatenate([X, X])
        y = np.repeat(["a", "b"], 40)
        clf = waveform(
            architecture=Linear,
            architecture_params=None,
            classes="infer",
            max_epochs=30,
            input_norm=None,
            weight_decay=0.0,
        )
        clf.fit(X, y, sample_weight=np.where(y == "a", 3.0, 1.0))
        np.testing.assert_allclose(clf.predict_proba(X)[:, 0], 0.75, atol=0.1)
        clf.fit(X, y)
        np.testing.assert_allclose(clf.predict_proba(X)[:, 0], 0.5, atol=0.1)

    def test_only_relations_matter(self, waveform, data):
        weight = np.random.default_rng(0).integers(1, 9, len(data.X)).astype(float)
        one, other = (
            waveform().fit(data.X, data.votes, sample_weight=w).predict_proba(data.X)
            for w in (weight, 4 * weight)
        )
        assert np.array_equal(one, other)

    def test_weight_zero_is_leaving_out(self, waveform, data):
        weight = np.ones(len(data.X))
        weight[::3] = 0
        some = waveform().fit(data.X, data.votes, sample_weight=weight)
        keep = weight > 0
        without = waveform().fit(data.X[keep], data.votes[keep])
        assert np.array_equal(some.predict_proba(data.X), without.predict_proba(data.X))

    @pytest.mark.parametrize(
        ("vote_weight", "function"),
        [("linear", lambda v: v / 20), ("log", np.log1p), (lambda v: v > 5, None)],
    )
    def test_votes_are_weights(self, waveform, data, vote_weight, function):
        total = data.votes.sum(axis=1)
        clf = waveform(vote_weight=vote_weight).fit(data.X, data.votes)
        weight = (function or vote_weight)(total)
        same = waveform().fit(data.X, data.votes, sample_weight=weight)
        np.testing.assert_allclose(
            clf.predict_proba(data.X), same.predict_proba(data.X), atol=1e-4
        )
        both = waveform(vote_weight=vote_weight)
        both.fit(data.X, data.votes, sample_weight=np.ones(len(data.X)))
        assert np.array_equal(both.predict_proba(data.X), clf.predict_proba(data.X))

    def test_train_loss_is_the_weighted_mean(self, waveform, data):
        # Nothing moves at this rate, so the epoch's loss is that of the fitted net.
        weight = np.random.default_rng(0).uniform(0.1, 5, len(data.X))
        params = {"lr": 1e-30, "max_epochs": 1, "weight_decay": 0.0}
        clf = waveform(architecture=Linear, architecture_params=None, **params)
        clf.fit(data.X, data.votes, sample_weight=weight)
        expected = kl_divergence(
            data.votes, clf.predict_proba(data.X), sample_weight=weight
        )
        assert clf.history_["train_loss"][0] == pytest.approx(expected, rel=1e-4)

    def test_unknown_totals(self, waveform, data):
        with pytest.raises(ValueError, match="needs the number of votes of every"):
            waveform(vote_weight="linear").fit(data.X, data.fractions)

    @pytest.mark.parametrize(
        ("weight", "message"),
        [
            (np.ones(5), r"shape \(5,\), expected \(96,\)"),
            (-np.ones(96), "finite and not negative"),
            (np.full(96, np.nan), "finite and not negative"),
            (np.zeros(96), "all weights are zero"),
            (np.ones((96, 1)), "expected"),
        ],
    )
    def test_unusable(self, waveform, data, weight, message):
        with pytest.raises(ValueError, match=f"WaveformClassifier: .*{message}"):
            waveform().fit(data.X, data.votes, sample_weight=weight)

    def test_unusable_function(self, waveform, data):
        clf = waveform(vote_weight=lambda total: total[:3])
        with pytest.raises(ValueError, match=r"vote_weight has shape \(3,\)"):
            clf.fit(data.X, data.votes)
        with pytest.raises(ValueError, match="vote_weight='square' is not known"):
            waveform(vote_weight="square").fit(data.X, data.votes)


class TestValidation:
    def test_no_patient_on_both_sides(self, waveform, data):
        recorder = Recorder()
        clf = waveform(
            early_stopping=True, validation_fraction=0.3, callbacks=[recorder]
        )
        clf.fit(data.X, data.votes, groups=data.groups)
        train, valid = (set(data.groups[r]) for r in (recorder.train_, recorder.valid_))
        assert train
        assert valid
        assert not train & valid
        assert len(recorder.train_) + len(recorder.valid_) == len(data.X)
        assert len(valid) == round(0.3 * len(set(data.groups)))

    def test_split_depends_on_the_seed(self, waveform, data):
        valid = []
        for seed in (0, 0, 1):
            recorder = Recorder()
            clf = waveform(
                early_stopping=True,
                max_epochs=1,
                callbacks=[recorder],
                random_state=seed,
            )
            clf.fit(data.X, data.votes, groups=data.groups)
            valid.append(tuple(recorder.valid_))
        assert valid[0] == valid[1] != valid[2]

    def test_without_groups_rows_and_a_warning(self, waveform, data):
        recorder = Recorder()
        clf = waveform(early_stopping=True, max_epochs=1, callbacks=[recorder])
        with pytest.warns(UserWarning, match="groups=patient_id"):
            clf.fit(data.X, data.votes)
        rows = np.concatenate([recorder.train_, recorder.valid_])
        assert np.array_equal(np.sort(rows), np.arange(len(data.X)))

    def test_too_few_groups(self, waveform, data):
        clf = waveform(early_stopping=True)
        with pytest.raises(ValueError, match="at least 2 groups"):
            clf.fit(data.X, data.votes, groups=np.zeros(len(data.X)))

    @pytest.mark.parametrize(
        ("groups", "message"),
        [
            (np.arange(5), r"groups has shape \(5,\)"),
            (np.array([1.0] * 95 + [np.nan]), r"missing in 1 rows \(first in row 95"),
            (np.array(["a"] * 95 + [None], dtype=object), "missing in 1 rows"),
        ],
    )
    def test_unusable_groups(self, waveform, data, groups, message):
        with pytest.raises(ValueError, match=message):
            waveform(early_stopping=True).fit(data.X, data.votes, groups=groups)

    def test_given_windows(self, waveform, data, more_data):
        clf = waveform(max_epochs=3)
        clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        assert clf.n_iter_ == 3
        # What is validated is what the competition would score.
        assert clf.history_["valid_kl"].iloc[-1] == pytest.approx(
            -clf.score(more_data.X, more_data.votes), abs=1e-5
        )
        assert clf.best_epoch_ is None
        plain = waveform(max_epochs=3).fit(data.X, data.votes)
        assert np.array_equal(plain.predict_proba(data.X), clf.predict_proba(data.X))
        assert math.isnan(plain.history_["valid_kl"].iloc[-1])

    def test_unusable_windows(self, waveform, data):
        X, y = data.X, data.votes
        with pytest.raises(ValueError, match="y_val is missing"):
            waveform().fit(X, y, X_val=X)
        with pytest.raises(ValueError, match="X_val is missing"):
            waveform().fit(X, y, y_val=y)
        with pytest.raises(ValueError, match=r"X_val have shape \(3, 100\)"):
            waveform().fit(X, y, X_val=X[..., :100], y_val=y)
        with pytest.raises(ValueError, match=r"y_val\): X and y have inconsistent"):
            waveform().fit(X, y, X_val=X, y_val=y[:4])
        with pytest.raises(ValueError, match=r"X_val\): X contains NaN"):
            waveform().fit(X, y, X_val=np.full_like(X, np.nan), y_val=y)


class TestEarlyStopping:
    # So high a rate that the validation KL goes up and down.
    params = {"lr": 0.1, "schedule": "constant", "max_epochs": 12, "patience": 3}

    def test_restores_the_best_epoch(self, waveform, data, more_data):
        clf = waveform(early_stopping=True, **self.params)
        clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        kl = clf.history_["valid_kl"].to_list()
        assert clf.best_epoch_ == 1 + int(np.argmin(kl))
        assert clf.best_epoch_ < clf.n_iter_  # otherwise nothing is restored
        assert -clf.score(more_data.X, more_data.votes) == pytest.approx(
            min(kl), abs=1e-5
        )
        # Stopped when patience was out, or not at all.
        assert clf.n_iter_ == min(12, clf.best_epoch_ + 3)

    def test_callbacks_stop_is_looked_at(self, waveform, data, more_data):
        class StopAfter(Callback):
            def on_epoch_end(self, net, **kwargs):
                if len(net.history) == 2:
                    raise KeyboardInterrupt

        clf = waveform(early_stopping=True, max_epochs=9, callbacks=[StopAfter()])
        clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        assert clf.n_iter_ == 2
        kl = clf.history_["valid_kl"].to_list()
        assert clf.best_epoch_ == 1 + int(np.argmin(kl))
        assert -clf.score(more_data.X, more_data.votes) == pytest.approx(
            min(kl), abs=1e-5
        )


class TestSchedule:
    def rates(self, waveform, data, **params):
        recorder = Recorder()
        clf = waveform(max_epochs=4, callbacks=[recorder], **params)
        clf.fit(data.X, data.votes)
        assert clf.history_["lr"].iloc[-1] == recorder.rates_[-1]
        return np.array(recorder.rates_)

    def test_cosine_by_step(self, waveform, data):
        rates = self.rates(waveform, data, lr=1e-2, min_lr=1e-3)
        n = 4 * 6  # epochs, batches of 16 out of 96
        expected = 1e-3 + 9e-3 * 0.5 * (1 + np.cos(np.pi * np.arange(n) / n))
        np.testing.assert_allclose(rates, expected)

    def test_warmup(self, waveform, data):
        rates = self.rates(waveform, data, lr=1e-2, warmup=0.25)
        np.testing.assert_allclose(rates[:6], 1e-2 * np.arange(1, 7) / 7)
        assert rates[6] == pytest.approx(1e-2)
        assert (np.diff(rates[6:]) < 0).all()

    def test_constant(self, waveform, data):
        rates = self.rates(waveform, data, lr=1e-2, schedule="constant")
        assert (rates == 1e-2).all()


class TestBatches:
    def test_every_window_once_an_epoch(self, waveform, data):
        recorder = Recorder()
        clf = waveform(max_epochs=2, batch_size=36, callbacks=[recorder])
        clf.fit(data.X, data.votes)
        sizes = [len(target) for _, target in recorder.batches_]
        assert sizes == [36, 36, 24] * 2
        first = np.concatenate([batch["x"] for batch, _ in recorder.batches_[:3]])
        second = np.concatenate([batch["x"] for batch, _ in recorder.batches_[3:]])
        assert not np.array_equal(first, second)  # another order
        for epoch in (first, second):
            assert np.array_equal(np.sort(epoch.ravel()), np.sort(data.X.ravel()))

    def test_last_single_window_joins_the_batch_before(self, waveform, data):
        recorder = Recorder()
        clf = waveform(max_epochs=1, batch_size=19, callbacks=[recorder])
        clf.fit(data.X, data.votes)
        assert [len(t) for _, t in recorder.batches_] == [19, 19, 19, 19, 20]

    def test_one_by_one_where_norms_allow(self, waveform, data):
        clf = waveform(batch_size=1, max_epochs=1).fit(data.X[:6], data.votes[:6])
        assert np.isfinite(clf.predict_proba(data.X)).all()

    def test_one_by_one_where_they_do_not(self, timm_classifier, data):
        clf = timm_classifier("resnet10t", batch_size=1, max_epochs=1)
        with pytest.raises(ValueError, match=r"batch of one.*Raise batch_size"):
            clf.fit(data.images[:4], data.votes[:4])

    def test_batch_larger_than_the_data(self, waveform, data):
        clf = waveform(batch_size=1000, max_epochs=1)
        with pytest.warns(UserWarning, match="batch_size=1000 is larger than the data"):
            clf.fit(data.X, data.votes)
        assert clf.predict_proba(data.X).shape == (96, 6)


class Linear(nn.Module):
    """A net that is not the package's own, as those of braindecode."""

    def __init__(self, n_chans, n_outputs, n_times, scale=1.0):
        super().__init__()
        self.scale = scale
        self.linear = nn.Linear(n_chans * n_times, n_outputs)

    def forward(self, x):
        return self.linear(self.scale * x.flatten(1))


class AsksForWeight(Linear):
    def forward(self, x, *, sample_weight=None):
        type(self).seen = None if sample_weight is None else len(sample_weight)
        return super().forward(x)


class WrongWidth(Linear):
    def forward(self, x):
        return super().forward(x)[:, :2]


class TwoOutputs(Linear):
    def forward(self, x):
        return super().forward(x), x


class Fails(Linear):
    def forward(self, x):
        raise RuntimeError("sizes of tensors must match")


class Diverges(Linear):
    def forward(self, x):
        out = super().forward(x)
        return out * float("nan") if self.training else out


class Interrupted(Linear):
    calls = 0

    def forward(self, x):
        if self.training:
            type(self).calls += 1
            if type(self).calls > 8:
                raise KeyboardInterrupt
        return super().forward(x)


class TestArchitecture:
    def test_any_class(self, waveform, data):
        clf = waveform(architecture=Linear, architecture_params={"scale": 0.5})
        clf.fit(data.X, data.votes)
        assert isinstance(clf.net_.module_.body, Linear)
        assert clf.net_.module_.body.scale == 0.5

    def test_batch_entries_reach_only_who_asks(self, waveform, data):
        weight = np.ones(96)
        clf = waveform(architecture=AsksForWeight, architecture_params=None)
        clf.fit(data.X, data.votes, sample_weight=weight)
        assert AsksForWeight.seen == 16  # a batch, not all of them
        clf.predict_proba(data.X)
        assert AsksForWeight.seen is None

    def test_unknown_name(self, waveform, data):
        with pytest.raises(ValueError, match=r"WaveformClassifier: .*resnet1d_gru"):
            waveform(architecture="resnet_gru").fit(data.X, data.votes)

    def test_unknown_parameter(self, waveform, data):
        clf = waveform(architecture_params={"widths": 3})
        with pytest.raises(ValueError, match=r"no parameter 'widths'.*width"):
            clf.fit(data.X, data.votes)

    def test_instance(self, waveform, data):
        clf = waveform(architecture=Linear(3, 6, 128), architecture_params=None)
        with pytest.raises(TypeError, match="give its class"):
            clf.fit(data.X, data.votes)

    def test_too_short_windows(self, waveform, data):
        with pytest.raises(ValueError, match=r"n_times=8 .* too short"):
            waveform().fit(data.X[..., :8], data.votes)

    @pytest.mark.parametrize(
        ("net", "message"),
        [
            (WrongWidth, r"\[1, 2\]\), expected a tensor of shape \(1, 6\)"),
            (TwoOutputs, r"for one window is tuple, expected a tensor"),
            (Fails, "cannot process windows of shape .3, 128.*sizes of tensors"),
        ],
    )
    def test_unusable_class(self, waveform, data, net, message):
        clf = waveform(architecture=net, architecture_params=None)
        with pytest.raises(ValueError, match=message):
            clf.fit(data.X, data.votes)


class TestFailures:
    def test_nan_loss(self, waveform, data):
        clf = waveform(architecture=Diverges, architecture_params=None)
        with pytest.raises(
            ValueError,
            match=r"WaveformClassifier: the training loss became nan in epoch 1, "
            r"batch 1 \(step 1\)\. .*lower lr",
        ):
            clf.fit(data.X, data.votes)

    def test_nan_prediction(self, waveform, data):
        clf = waveform().fit(data.X, data.votes)
        with torch.no_grad():
            clf.net_.module_.body.head.bias.fill_(float("nan"))
        with pytest.raises(ValueError, match="NaN or infinite logits"):
            clf.predict_proba(data.X)

    def test_interrupt_leaves_a_usable_estimator(self, waveform, data):
        Interrupted.calls = 0
        clf = waveform(architecture=Interrupted, architecture_params=None)
        with pytest.raises(KeyboardInterrupt):
            clf.fit(data.X, data.votes)
        assert clf.n_iter_ == 1  # six of the eight steps
        assert clf.predict_proba(data.X).shape == (96, 6)
        assert clf.net_.optimizer_ is None

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"max_epochs": 0}, "max_epochs must be an integer at least 1, got 0"),
            ({"batch_size": 0}, "batch_size must be .*, got 0"),
            ({"lr": 0.0}, "lr must be .* above 0, got 0.0"),
            ({"lr": float("nan")}, "lr must be .*, got nan"),
            ({"min_lr": 1.0}, "min_lr must be .*, got 1.0"),
            ({"weight_decay": -1}, "weight_decay must be .*, got -1"),
            ({"warmup": 1.0}, "warmup must be .* below 1, got 1.0"),
            ({"schedule": "square"}, "schedule must be one of .*, got 'square'"),
            ({"input_norm": "batch"}, "input_norm must be one of .*, got 'batch'"),
            ({"patience": 0}, "patience must be .*, got 0"),
            (
                {"validation_fraction": 1.0},
                "validation_fraction must be .* below 1, got 1.0",
            ),
            ({"max_epochs": 2.5}, "max_epochs must be an integer .*, got 2.5"),
            ({"lr": "fast"}, "lr must be a finite number .*, got 'fast'"),
            ({"amp": "half"}, "amp='half' is not known"),
            ({"amp": "bf16"}, "amp='bf16' needs a CUDA device"),
            ({"device": "gpu"}, "device='gpu' is not a device"),
            ({"classes": "six"}, "classes='six' is not known"),
        ],
    )
    def test_wrong_parameters(self, each, data, params, message):
        make, X = each
        clf = make(**params)
        with pytest.raises(ValueError, match=f"{type(clf).__name__}: {message}"):
            clf.fit(X, data.votes)

    @pytest.mark.parametrize("params", [{"callbacks": Recorder()}, {"callbacks": [3]}])
    def test_wrong_types(self, waveform, data, params):
        with pytest.raises(TypeError, match="WaveformClassifier: "):
            waveform(**params).fit(data.X, data.votes)

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
    def test_absent_device(self, each, data):
        make, X = each
        with pytest.raises(RuntimeError, match=r"device='cuda' .* no CUDA device"):
            make(device="cuda").fit(X, data.votes)

    def test_unusable_windows(self, waveform, data):
        X, y = data.X.copy(), data.votes
        X[3, 1, 5] = np.nan
        with pytest.raises(ValueError, match=r"window 3, channel 1.*NaNImputer"):
            waveform().fit(X, y)
        with pytest.raises(ValueError, match=r"window 3, channel 1.*NaNImputer"):
            waveform().fit(X.astype(np.float16), y)
        with pytest.raises(ValueError, match="X has 2 dimensions"):
            waveform().fit(X[:, 0], y)
        with pytest.raises(ValueError, match="n_samples = 1"):
            waveform().fit(data.X[:1], y[:1])

    def test_other_windows_than_fitted(self, each, data):
        make, X = each
        clf = make(max_epochs=1).fit(X, data.votes)
        with pytest.raises(ValueError, match=r"2 channels .* is expecting 3 channels"):
            clf.predict_proba(X[:, :2])
        with pytest.raises(ValueError, match="was fitted on windows of shape"):
            clf.predict_proba(X[..., :-1])
        with pytest.raises(ValueError, match="contains infinity"):
            clf.predict_proba(np.full_like(X, np.inf))

    def test_one_class_of_inferred_ones(self, waveform, data):
        clf = waveform(classes="infer")
        with pytest.raises(ValueError, match="only one class: 1"):
            clf.fit(data.X, np.ones(96, dtype=int))
        y = np.arange(96) % 2
        with pytest.raises(ValueError, match="only one class: 1"):
            clf.fit(data.X, y, sample_weight=y)


class TestCallbacks:
    def test_any_of_skorch(self, waveform, data, more_data, tmp_path):
        lines = []

        def accuracy(net, X, y):
            return np.mean(net.predict_proba(X).argmax(axis=1) == y.argmax(axis=1))

        callbacks = [
            EpochScoring(accuracy, name="accuracy", lower_is_better=False),
            (
                "uncached",
                EpochScoring(
                    accuracy, name="again", use_caching=False, lower_is_better=False
                ),
            ),
            GradientNormClipping(1.0),
            LRScheduler("StepLR", step_size=1),
            Checkpoint(dirname=str(tmp_path), f_optimizer=None, monitor=None),
            PrintLog(sink=lines.append),
            ProgressBar(),
            EarlyStopping(patience=1, threshold=1e9, threshold_mode="abs"),
        ]
        clf = waveform(max_epochs=9, schedule="constant", callbacks=callbacks)
        clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        assert clf.n_iter_ < 9  # EarlyStopping
        assert (tmp_path / "params.pt").exists()
        history = clf.net_.history
        assert "train_loss" in lines[0]
        assert history[:, "accuracy"] == history[:, "again"]
        predicted = clf.predict_proba(more_data.X).argmax(axis=1)
        expected = np.mean(predicted == more_data.fractions.argmax(axis=1))
        assert history[-1, "accuracy"] == pytest.approx(expected)
        assert clf.history_["lr"][1] == pytest.approx(1e-3)

    @pytest.mark.parametrize(
        ("params", "rate"),
        [
            ({}, "schedule='cosine'"),
            ({"schedule": [1e-2, 1e-3]}, r"schedule=\[0.01, 0.001\]"),
            ({"schedule": "constant", "warmup": 0.2}, "and warmup=0.2"),
        ],
    )
    @pytest.mark.parametrize(
        "callback",
        [
            LRScheduler("StepLR", step_size=1),
            ("rate", LRScheduler("StepLR", step_size=1)),
            LRScheduler,
        ],
        ids=["instance", "named", "class"],
    )
    def test_rates_that_the_schedule_overwrites(
        self, waveform, data, callback, params, rate
    ):
        clf = waveform(callbacks=[callback], **params)
        with pytest.warns(
            UserWarning, match=f"WaveformClassifier: .*LRScheduler.*no effect.*{rate}"
        ) as seen:
            clf.fit(data.X, data.votes)
        assert "schedule='constant'" in str(seen[-1].message)
        assert seen[-1].filename == __file__

    def test_rates_where_the_schedule_is_still(self, waveform, data):
        clf = waveform(
            schedule="constant", callbacks=[LRScheduler("StepLR", step_size=1)]
        )
        clf.fit(data.X, data.votes)  # warns of nothing
        assert clf.history_["lr"].tolist() == pytest.approx([1e-2, 1e-3])

    @pytest.mark.parametrize("weighted", [False, True])
    def test_progress_tells_the_weighted_loss_from_the_kl(
        self, waveform, data, capsys, weighted
    ):
        weight = np.where(data.fractions.argmax(axis=1) == 0, 10.0, 1.0)
        clf = waveform(verbose=1, max_epochs=1)
        clf.fit(data.X, data.votes, sample_weight=weight if weighted else None)
        [(loss, kl)] = set(
            re.findall(
                r"train loss (\d+\.\d+), train KL (\d+\.\d+)",
                capsys.readouterr().err,
            )
        )
        assert (loss != kl) == weighted

    def test_progress_names_loss_and_kl(self, waveform, data, more_data, capsys):
        clf = waveform(verbose=1)
        clf.fit(data.X, data.votes, X_val=more_data.X, y_val=more_data.votes)
        printed = capsys.readouterr().err
        assert "WaveformClassifier epoch 2/2" in printed
        last = clf.history_.iloc[-1]
        assert f"train loss {last['train_loss']:.4f}, train KL" in printed
        assert f"validation KL {last['valid_kl']:.4f}" in printed
        waveform(verbose=0).fit(data.X, data.votes)
        captured = capsys.readouterr()
        assert captured.err == captured.out == ""

    def test_clipping_sees_true_gradients(self, waveform, data):
        norms = []

        class Norm(Callback):
            def on_grad_computed(self, net, named_parameters, **kwargs):
                norms.append(
                    max(p.grad.abs().max().item() for _, p in named_parameters)
                )

        waveform(callbacks=[Norm()]).fit(data.X, data.votes)
        assert len(norms) == 12
        assert max(norms) < 1e3


def test_mixed_precision_step(data):
    # The branch that a GPU takes, on the CPU, where torch can do it too.
    params = {"n_chans": 3, "n_outputs": 6, "n_times": 128}
    seen = []

    class Types(Callback):
        def on_batch_end(self, net, y_pred=None, training=None, **kwargs):
            seen.append((training, y_pred.dtype))

    net = VoteNet(
        Linear,
        params,
        None,
        caller="test",
        amp_dtype=torch.bfloat16,
        lr=1e-3,
        max_epochs=1,
        callbacks=[Types()],
    ).initialize()
    train = WindowDataset(data.X, data.fractions)
    net.fit_datasets(train, train)
    assert set(seen) == {(True, torch.bfloat16), (False, torch.float32)}
    assert all(p.dtype == torch.float32 for p in net.module_.parameters())


def test_losses_of_a_gpu_are_fetched_at_the_end():
    net = VoteNet(nn.Linear, {"in_features": 2, "out_features": 2}, None, caller="test")
    net.initialize()
    net.history.new_epoch()
    batches = [
        BatchIterator(WindowDataset(np.zeros((2 * n, 2)), np.zeros((2 * n, 2))), 2)
        for n in (3, 2)
    ]
    losses = iter([1.0, 2.0, 6.0])

    class OnGpu(torch.Tensor):
        device = torch.device("cuda")

    def step(batch):
        return {"loss": torch.tensor(next(losses)).as_subclass(OnGpu), "y_pred": None}

    net.run_single_epoch(batches[0], training=True, prefix="train", step_fn=step)
    assert net.history[-1, "batches", :, "train_loss"] == [1.0, 2.0, 6.0]
    assert all(
        isinstance(row["train_loss"], float) for row in net.history[-1]["batches"]
    )
    losses = iter([1.0, float("nan")])
    net.history.new_epoch()
    with pytest.raises(ValueError, match=r"loss became nan in epoch 2, batch 2 "):
        net.run_single_epoch(batches[1], training=True, prefix="train", step_fn=step)
