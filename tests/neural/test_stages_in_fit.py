"""A curriculum in one fit: windows, parameters, frozen parts and starts of stages."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from hmsklearn.neural import DecayingVoteWeight, VoteKLLoss

# No class has votes in some of the small parts.
pytestmark = pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")


class Linear(nn.Module):
    head_prefixes = ("head",)

    def __init__(self, n_chans, n_outputs, n_times):
        super().__init__()
        self.stem = nn.Linear(n_chans * n_times, 8)
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, n_outputs)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.stem(x.flatten(1)))))


class Watch(Callback):
    """Note of every stage what it trains on and how, and the weights at both ends."""

    def __init__(self):
        self.stages_ = []

    def on_train_begin(self, net, **kwargs):
        self.now_ = {"begin": copied(net), "rows": [], "batches": [], "rates": []}
        self.now_["learned"] = []
        self.now_["optimizer"] = type(net.optimizer_).__name__
        self.now_["groups"] = [dict(g) for g in net.optimizer_.param_groups]
        self.now_["loss"] = type(net.criterion_).__name__
        self.stages_.append(self.now_)

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        self.now_["rows"].append(dataset_train.rows.copy())
        self.now_["batches"].append([])

    def on_batch_end(self, net, batch=None, training=None, fractions=None, **kwargs):
        if training:
            self.now_["batches"][-1].append(batch)
            self.now_["learned"].append(fractions)
            self.now_["rates"].append(net.optimizer_.param_groups[0]["lr"])

    def on_epoch_end(self, net, **kwargs):
        self.now_["end"] = copied(net)
        if net.ema_ is not None:
            with net.evaluated():
                self.now_["ema"] = copied(net)

    def sizes(self, stage):
        return [len(target) for _, target in self.stages_[stage]["batches"][0]]


def copied(net):
    return {k: v.clone() for k, v in net.module_.state_dict().items()}


def equal(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def fit(waveform, data):
    """Fit a small net in stages; return the estimator and what was seen."""

    def fit(stages, *, fit_params=None, **params):
        watch = Watch()
        small = {"architecture": Linear, "architecture_params": None}
        clf = waveform(**small, stages=stages, callbacks=[watch], **params)
        clf.fit(data.X, data.votes, **(fit_params or {}))
        return clf, watch

    return fit


class TestWindows:
    def test_by_votes(self, fit, data):
        total = data.votes.sum(axis=1)
        _, watch = fit([{}, {"min_votes": 10}, {"min_votes": 4, "max_votes": 9}])
        expected = [total > 0, total >= 10, (total >= 4) & (total <= 9)]
        for stage, mask in zip(watch.stages_, expected, strict=True):
            for rows in stage["rows"]:
                assert np.array_equal(rows, np.flatnonzero(mask))

    def test_hard_samples(self, fit, data):
        # KL(uniform || votes + 1e-5) below 5.5: at least three classes were voted for.
        y = data.fractions + 1e-5
        score = (np.log(1 / 6 / y) / 6).sum(axis=1)
        hard = np.flatnonzero(score < 5.5)
        assert 5 < hard.size < 90
        _, watch = fit([{}, {"rows": "several_classes", "batch_size": 4}])
        assert np.array_equal(watch.stages_[1]["rows"][0], hard)

    def test_rule_of_ones_own_sees_the_training_windows_alone(self, fit, data):
        seen = []

        def rule(fractions, total_votes):
            seen.append((fractions, total_votes))
            return total_votes > total_votes.mean()

        _, watch = fit(
            [{}, {"rows": rule}],
            early_stopping=True,
            fit_params={"groups": data.groups},
        )
        trained = watch.stages_[0]["rows"][0]
        assert trained.size < len(data.X)
        total = data.votes.sum(axis=1)[trained]
        np.testing.assert_array_equal(seen[0][1], total)
        np.testing.assert_allclose(seen[0][0], data.fractions[trained])
        expected = trained[total > total.mean()]
        assert np.array_equal(watch.stages_[1]["rows"][0], expected)

    def test_windows_of_weight_zero_stay_out(self, fit, data):
        weight = np.arange(96) % 2
        _, watch = fit(
            [{}, {"min_votes": 8}], fit_params={"sample_weight": weight.astype(float)}
        )
        mask = (data.votes.sum(axis=1) >= 8) & (weight > 0)
        assert np.array_equal(watch.stages_[1]["rows"][0], np.flatnonzero(mask))
        # Weights have mean one over the windows of the stage.
        for stage in watch.stages_:
            [batches] = stage["batches"][:1]
            drawn = torch.cat([batch["sample_weight"] for batch, _ in batches])
            assert drawn.mean().item() == pytest.approx(1.0)

    def test_none_left(self, fit, data):
        with pytest.raises(
            ValueError,
            match=r"WaveformClassifier: stage 2 \(many\): 0 of 96 windows are left "
            r"with min_votes=99.*Lower",
        ):
            fit([{}, {"name": "many", "min_votes": 99}])

    def test_needs_counts(self, waveform, data):
        clf = waveform(stages=[{"min_votes": 5}])
        with pytest.raises(ValueError, match="Pass vote counts as y"):
            clf.fit(data.X, data.fractions)


class TestParameters:
    def test_each_stage_has_its_own(self, fit):
        stages = [
            {"max_epochs": 3, "lr": 2e-3, "batch_size": 32, "loss": "bce"},
            {
                "max_epochs": 1,
                "lr": 1e-3,
                "schedule": "constant",
                "optimizer": "adam",
                "weight_decay": 0.25,
            },
            {"schedule": [3e-3, 1e-4], "loss": VoteKLLoss(), "backbone_lr": 1e-5},
        ]
        clf, watch = fit(stages, lr=5e-3, weight_decay=0.0)
        assert watch.sizes(0) == [32] * 3
        assert watch.sizes(1) == watch.sizes(2) == [16] * 6
        losses = [stage["loss"] for stage in watch.stages_]
        assert losses == ["SoftBCELoss", "VoteKLLoss", "VoteKLLoss"]
        names = [stage["optimizer"] for stage in watch.stages_]
        assert names == ["AdamW", "Adam", "AdamW"]
        step = np.arange(9)
        cosine = 2e-3 * 0.5 * (1 + np.cos(np.pi * step / 9))
        np.testing.assert_allclose(watch.stages_[0]["rates"], cosine)
        assert watch.stages_[1]["rates"] == [1e-3] * 6
        np.testing.assert_allclose(
            watch.stages_[2]["rates"], [3e-3] * 6 + [1e-4] * 6, rtol=1e-12
        )
        decays = [{g["weight_decay"] for g in s["groups"]} for s in watch.stages_]
        assert decays == [{0.0}, {0.25, 0.0}, {0.0}]
        assert {g["lr_scale"] for g in watch.stages_[2]["groups"]} == {
            1.0,
            1e-5 / 3e-3,  # of the highest rate of the list
        }
        assert clf.history_["stage"].tolist() == [1, 1, 1, 2, 3, 3]
        assert clf.history_["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
        assert clf.n_iter_ == 6

    def test_predictions_are_read_as_the_last_loss_means(self, fit, data):
        clf, _ = fit([{"loss": "kl"}, {"loss": "bce"}])
        logits = clf.predict_logits(data.X).astype(np.float64)
        sigmoid = 1 / (1 + np.exp(-logits))
        np.testing.assert_allclose(
            clf.predict_proba(data.X), sigmoid / sigmoid.sum(axis=1, keepdims=True)
        )
        clf, _ = fit([{"loss": "bce"}, {"loss": "kl"}])
        logits = clf.predict_logits(data.X).astype(np.float64)
        e = np.exp(logits)
        np.testing.assert_allclose(
            clf.predict_proba(data.X), e / e.sum(axis=1, keepdims=True)
        )

    def test_one_stage_is_a_plain_fit(self, fit, data):
        plain, _ = fit(None)
        staged, _ = fit([{}])
        assert np.array_equal(plain.predict_proba(data.X), staged.predict_proba(data.X))

    def test_a_new_optimizer_for_each(self, fit, data):
        # Two stages of one epoch are not two epochs: the moments start anew.
        staged, _ = fit([{"max_epochs": 1}] * 2, schedule="constant")
        plain, _ = fit(None, schedule="constant", max_epochs=2)
        assert not np.array_equal(
            plain.predict_proba(data.X), staged.predict_proba(data.X)
        )
        # Without moments they are.
        sgd = {"optimizer": torch.optim.SGD, "schedule": "constant"}
        staged, _ = fit([{"max_epochs": 1}] * 2, **sgd)
        plain, _ = fit(None, max_epochs=2, **sgd)
        assert np.array_equal(plain.predict_proba(data.X), staged.predict_proba(data.X))

    def test_augment_of_a_stage(self, fit):
        smoothing = [("label_smoothing", {"epsilon": 0.3})]
        _, watch = fit([{"augment": smoothing}, {}])
        for stage, changed in zip(watch.stages_, (True, False), strict=True):
            for (_, target), learned in zip(
                stage["batches"][0], stage["learned"], strict=False
            ):
                assert torch.equal(target, learned) != changed

    def test_unusable_parameter_names_the_stage(self, fit):
        with pytest.raises(
            ValueError, match=r"WaveformClassifier: stage 2: lr must be .*got 0"
        ):
            fit([{}, {"lr": 0.0}])
        with pytest.raises(ValueError, match=r"stage 2 \(fine\): schedule holds 3"):
            fit([{}, {"name": "fine", "schedule": [1e-3] * 3}])


class TestFreezing:
    def test_frozen_parts_do_not_move(self, fit):
        clf, watch = fit([{"freeze": ["stem", "norm"]}, {}], weight_decay=0.1)
        begin, end = watch.stages_[0]["begin"], watch.stages_[0]["end"]
        frozen = [name for name in begin if ".stem." in name or ".norm." in name]
        assert {name.rsplit(".")[-1] for name in frozen} >= {
            "weight",
            "running_mean",
            "running_var",
            "num_batches_tracked",
        }
        for name in frozen:
            assert torch.equal(begin[name], end[name]), name
        assert not torch.equal(begin["body.head.weight"], end["body.head.weight"])
        # The next stage trains all of it.
        begin, end = watch.stages_[1]["begin"], watch.stages_[1]["end"]
        moved = [name for name in frozen if not torch.equal(begin[name], end[name])]
        assert moved == frozen
        assert all(p.requires_grad for p in clf.net_.module_.parameters())

    @pytest.mark.parametrize(
        ("freeze", "still"),
        [("backbone", {"stem", "norm"}), ("head", {"head"})],
    )
    def test_by_kind(self, fit, freeze, still):
        _, watch = fit([{"freeze": freeze}])
        begin, end = watch.stages_[0]["begin"], watch.stages_[0]["end"]
        for name in begin:
            if name.startswith("body."):
                same = torch.equal(begin[name], end[name])
                assert same == (name.split(".")[1] in still), name

    def test_averages_of_frozen_parts_do_not_move_either(self, fit):
        _, watch = fit([{"freeze": "backbone", "ema": 0.9}])
        begin, ema = watch.stages_[0]["begin"], watch.stages_[0]["ema"]
        for name in begin:
            if ".head." not in name:
                assert torch.equal(begin[name], ema[name]), name

    def test_undone_after_an_error(self, waveform, data):
        clf = waveform(
            architecture=Linear,
            architecture_params=None,
            stages=[{}, {"freeze": "steam"}],
        )
        with pytest.raises(ValueError, match=r"freeze='steam' .*'stem'"):
            clf.fit(data.X, data.votes)


class TestStart:
    ema = {"ema": 0.9, "max_epochs": 2}

    def test_as_it_would_predict(self, fit):
        _, watch = fit([self.ema, {}])
        first, second = watch.stages_
        assert equal(second["begin"], first["ema"])
        assert not equal(second["begin"], first["end"])

    def test_from_the_average(self, fit, data):
        _, watch = fit([self.ema, {"start": "ema"}])
        first, second = watch.stages_
        assert equal(second["begin"], first["ema"])

    def test_from_the_last_step(self, fit):
        _, watch = fit([self.ema, {"start": "current"}])
        first, second = watch.stages_
        assert equal(second["begin"], first["end"])

    def test_from_the_best_epoch(self, fit, data, more_data):
        # So high a rate that the last epoch is not the best one.
        stages = [
            {"max_epochs": 6, "lr": 0.3, "schedule": "constant"},
            {"start": "best", "max_epochs": 1},
        ]
        clf, watch = fit(
            stages,
            early_stopping=True,
            patience=9,
            fit_params={"X_val": more_data.X, "y_val": more_data.votes},
        )
        kl = clf.history_["valid_kl"][:6].to_numpy()
        best = int(kl.argmin())
        assert best < 5
        # The same training once more, ended there.
        _, until = fit([{**stages[0], "max_epochs": best + 1}])
        assert equal(until.stages_[0]["begin"], watch.stages_[0]["begin"])
        assert not equal(watch.stages_[1]["begin"], watch.stages_[0]["end"])
        assert equal(watch.stages_[1]["begin"], until.stages_[0]["end"])

    def test_average_instead_of_the_best(self, fit, data, more_data):
        stages = [
            {"max_epochs": 5, "lr": 0.3, "schedule": "constant", "ema": 0.5},
            {"start": "ema", "max_epochs": 1},
        ]
        _, watch = fit(
            stages,
            early_stopping=True,
            fit_params={"X_val": more_data.X, "y_val": more_data.votes},
        )
        first, second = watch.stages_
        assert equal(second["begin"], first["ema"])

    def test_anew(self, fit, data):
        _, watch = fit([{}, {"start": "fresh"}, {"start": "fresh"}])
        first, second, third = watch.stages_
        for one, other in ((first, second), (second, third)):
            for name in ("body.stem.weight", "body.head.weight"):
                assert not torch.equal(one["begin"][name], other["begin"][name])
                assert not torch.equal(one["end"][name], other["begin"][name])
            # Nothing of the batch norms either; the input's normalisation stays.
            tracked = other["begin"]["body.norm.num_batches_tracked"]
            assert tracked.item() == 0
        norm = [name for name in first["begin"] if name.startswith("norm.")]
        assert norm
        for name in norm:
            assert torch.equal(first["begin"][name], third["begin"][name])

    def test_anew_takes_the_weights_given(self, fit, waveform, data):
        source = waveform(architecture=Linear, architecture_params=None, max_epochs=1)
        source.fit(data.X, data.votes)
        _, watch = fit([{}, {"start": "fresh"}], weights=source)
        first, second = watch.stages_
        assert equal(first["begin"], second["begin"])

    @pytest.mark.parametrize(
        ("stages", "message"),
        [
            ([{}, {"start": "ema"}], "stage 2: start='ema', but the stage before av"),
            ([{}, {"start": "best"}], "stage 2: start='best', but the stage before r"),
            ([{"start": "ema"}], "start='ema' takes weights of the stage before"),
            ([{"start": "best"}, {}], "stage 1: start='best' takes weights"),
        ],
    )
    def test_unusable(self, fit, stages, message):
        with pytest.raises(ValueError, match=f"WaveformClassifier: {message}"):
            fit(stages)


class TestDecayingWeights:
    def weights_of(self, watch):
        """Weights of each epoch by row of the data."""
        for batches in watch.stages_[0]["batches"]:
            x = torch.cat([batch["x"] for batch, _ in batches]).numpy()
            weight = torch.cat([batch["sample_weight"] for batch, _ in batches])
            yield x, weight.numpy()

    def test_of_the_3rd_place(self, fit, data):
        rule = DecayingVoteWeight()
        _, watch = fit([{"vote_weight": rule}], max_epochs=4)
        total = data.votes.sum(axis=1)
        for epoch, (x, weight) in enumerate(self.weights_of(watch)):
            order = np.array([np.flatnonzero((w == data.X).all((1, 2)))[0] for w in x])
            # 0.3 below 3 votes, 0.5 below 8, then 1; minus 1.2 * epoch / 4 of it.
            left = 1 - 1.2 * epoch / 4
            expected = np.select(
                [total < 3, total < 8],
                [max(0.02, 0.3 * left), max(0.02, 0.5 * left)],
                1.0,
            )
            expected = expected / expected.mean()
            np.testing.assert_allclose(weight, expected[order], rtol=1e-5)
        assert epoch == 3

    def test_times_the_weights_given(self, fit, data):
        given = np.random.default_rng(0).uniform(0.5, 2, 96)
        rule = DecayingVoteWeight()
        _, watch = fit(
            [{"vote_weight": rule}], max_epochs=2, fit_params={"sample_weight": given}
        )
        total = data.votes.sum(axis=1)
        for epoch, (x, weight) in enumerate(self.weights_of(watch)):
            order = np.array([np.flatnonzero((w == data.X).all((1, 2)))[0] for w in x])
            expected = rule(total, epoch, 2) * given
            np.testing.assert_allclose(
                weight, (expected / expected.mean())[order], rtol=1e-5
            )

    def test_all_zero_in_an_epoch(self, fit, data):
        def rule(total_votes, epoch, n_epochs):
            return np.full(total_votes.shape, 1.0 - epoch)

        with pytest.raises(ValueError, match=r"weight zero in epoch 2.*floor"):
            fit([{"vote_weight": rule}])


class TestPublished:
    """Trainings of HMS by parameters alone, with fewer epochs."""

    def test_3rd_place_signals(self, waveform, data):
        # 30 epochs, 1e-3, Adam, cosine, clip 4, weights that decay.
        watch = Watch()
        clf = waveform(
            optimizer="adam",
            lr=1e-3,
            weight_decay=0.0,
            schedule="cosine",
            clip_grad=4.0,
            vote_weight=DecayingVoteWeight(),
            augment=[
                ("time_reverse", {"p": 0.5}),
                ("channel_drop", {"p": 0.5, "n_channels": (1, 2)}),
            ],
            max_epochs=3,
            callbacks=[watch],
        )
        clf.fit(data.X, data.votes)
        [stage] = watch.stages_
        assert stage["optimizer"] == "Adam"
        assert stage["rates"][0] == 1e-3
        assert clf.history_["train_loss"].iloc[-1] < clf.history_["train_loss"].iloc[0]

    def test_6th_place(self, waveform, data):
        # Fewer than 10 votes first; then 10 or more, from the averaged weights; Adan,
        # one cycle, mixup, two batches a step, one window of an EEG each epoch.
        watch = Watch()
        clf = waveform(
            architecture=Linear,
            architecture_params=None,
            optimizer="adan",
            lr=1.7e-3,
            weight_decay=0.02,
            schedule="one_cycle",
            batch_size=8,
            accumulate=2,
            ema=0.995,
            sampling="eeg",
            augment=[("mixup", {"p": 0.5, "alpha": 1.0})],
            stages=[
                {"max_epochs": 5, "max_votes": 9},
                {"max_epochs": 7, "min_votes": 10, "start": "ema"},
            ],
            callbacks=[watch],
        )
        eeg_id = np.arange(96) // 2
        clf.fit(data.X, data.votes, eeg_id=eeg_id)
        first, second = watch.stages_
        total = data.votes.sum(axis=1)
        assert set(first["rows"][0]) == set(np.flatnonzero(total < 10))
        assert set(second["rows"][0]) == set(np.flatnonzero(total >= 10))
        assert equal(second["begin"], first["ema"])
        assert first["optimizer"] == second["optimizer"] == "Adan"
        # One window of an EEG.
        n = np.unique(eeg_id[total < 10]).size
        assert sum(watch.sizes(0)) == n < (total < 10).sum()
        # The cycle begins at a 25th in each stage.
        for stage in (first, second):
            assert stage["rates"][0] == pytest.approx(1.7e-3 / 25)
            assert max(stage["rates"]) == pytest.approx(1.7e-3, rel=0.05)
        assert clf.n_iter_ == 12

    def test_2nd_place(self, waveform, data):
        # 15 epochs of all with votes as weights; 5 of those with at least 6, without.
        watch = Watch()
        clf = waveform(
            architecture=Linear,
            architecture_params=None,
            sampling="eeg",
            target="eeg",
            vote_weight="linear",
            lr=1e-3,
            min_lr=1e-4,
            stages=[
                {"max_epochs": 3},
                {"max_epochs": 2, "min_votes": 6, "vote_weight": None},
            ],
            callbacks=[watch],
        )
        eeg_id = np.arange(96) // 3
        clf.fit(data.X, data.votes, eeg_id=eeg_id)
        first, second = watch.stages_
        assert sum(watch.sizes(0)) == 32
        total = data.votes.sum(axis=1)
        many = total >= 6
        assert np.array_equal(second["rows"][0], np.flatnonzero(many))
        assert sum(watch.sizes(1)) == np.unique(eeg_id[many]).size
        mean = data.fractions.reshape(32, 3, 6).mean(axis=1).repeat(3, axis=0)
        for batch, target in first["batches"][0]:
            for x, weight, y in zip(
                batch["x"].numpy(), batch["sample_weight"], target, strict=True
            ):
                [row] = np.flatnonzero((x == data.X).all((1, 2)))
                np.testing.assert_allclose(y, mean[row], atol=1e-6)
                assert weight.item() == pytest.approx(total[row] / total.mean())
        assert "sample_weight" not in second["batches"][0][0][0]
        assert min(second["rates"]) > 1e-4
