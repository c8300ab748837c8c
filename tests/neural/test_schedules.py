"""Learning rates: against torch's schedulers and lists written out."""

import functools
import math
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from hmsklearn.neural._schedules import (
    SCHEDULES,
    LearningRate,
    check_schedule,
    check_warmup,
    schedule_factor,
    schedule_rate,
)


def factors(schedule, n_steps, *args, **kwargs):
    return np.array(
        [schedule_factor(schedule, i, n_steps, *args, **kwargs) for i in range(n_steps)]
    )


def of_torch(make, n_steps, lr=1.0):
    """Rates of one of torch's schedulers, before each step."""
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=lr, momentum=0.9)
    scheduler = make(optimizer)
    rates = []
    for _ in range(n_steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(rates)


class TestShapes:
    @pytest.mark.parametrize("n_steps", [2, 7, 100])
    def test_cosine_is_torch_s(self, n_steps):
        expected = of_torch(
            lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, n_steps), n_steps
        )
        np.testing.assert_allclose(factors("cosine", n_steps), expected, atol=1e-12)

    @pytest.mark.parametrize("n_steps", [2, 7, 100])
    def test_linear_is_torch_s(self, n_steps):
        expected = of_torch(
            lambda o: torch.optim.lr_scheduler.LinearLR(
                o, start_factor=1.0, end_factor=0.0, total_iters=n_steps
            ),
            n_steps,
        )
        np.testing.assert_allclose(factors("linear", n_steps), expected, atol=1e-12)

    @pytest.mark.parametrize("share", [None, 0.1, 0.3, 0.5])
    @pytest.mark.parametrize("n_steps", [8, 50, 333])
    def test_one_cycle_is_torch_s(self, n_steps, share):
        expected = of_torch(
            lambda o: torch.optim.lr_scheduler.OneCycleLR(
                o,
                max_lr=2e-3,
                total_steps=n_steps + 1,  # torch wants one for the last step()
                pct_start=share or 0.3,
                cycle_momentum=False,
            ),
            n_steps,
            lr=2e-3,
        )
        ours = [
            schedule_rate("one_cycle", i, n_steps + 1, lr=2e-3, warmup=share or 0.0)
            for i in range(n_steps)
        ]
        np.testing.assert_allclose(ours, expected, rtol=1e-10)
        last = schedule_rate("one_cycle", n_steps, n_steps + 1, lr=2e-3)
        assert last == pytest.approx(2e-3 / 25 / 1e4)

    @pytest.mark.parametrize("n_steps", [1, 2, 3, 4, 10])
    @pytest.mark.parametrize("schedule", SCHEDULES)
    def test_short_trainings(self, schedule, n_steps):
        got = factors(schedule, n_steps)
        assert np.isfinite(got).all()
        assert ((got > 0) & (got <= 1)).all()
        assert got.max() > 0.4

    @pytest.mark.parametrize("schedule", ["cosine", "constant", "linear"])
    @pytest.mark.parametrize("warmup", [0.25, 2])
    def test_warmup(self, schedule, warmup):
        got = factors(schedule, 24, warmup, n_epochs=8)
        np.testing.assert_allclose(got[:6], np.arange(1, 7) / 7)
        np.testing.assert_allclose(got[6:], factors(schedule, 18))

    def test_warmup_of_one_epoch_is_not_the_whole_training(self):
        got = factors("constant", 20, 1, n_epochs=5)
        np.testing.assert_allclose(got[:4], np.arange(1, 5) / 5)
        assert (got[4:] == 1).all()

    def test_one_cycle_rises_for_epochs(self):
        assert factors("one_cycle", 40, 2, n_epochs=8).argmax() == 9
        np.testing.assert_allclose(
            factors("one_cycle", 40, 2, n_epochs=8), factors("one_cycle", 40, 0.25)
        )

    def test_epochs_need_their_number(self):
        with pytest.raises(ValueError, match=r"warmup=3 counts epochs.*Pass n_epochs"):
            schedule_factor("cosine", 0, 10, 3)


class TestRates:
    def test_lowest_rate(self):
        rates = [
            schedule_rate("cosine", i, 10, lr=1e-2, min_lr=1e-3) for i in range(10)
        ]
        expected = 1e-3 + 9e-3 * 0.5 * (1 + np.cos(np.pi * np.arange(10) / 10))
        np.testing.assert_allclose(rates, expected)

    @pytest.mark.parametrize("per_epoch", [1, 3, 37])
    def test_rates_of_epochs(self, per_epoch):
        listed = [1e-3] * 4 + [5e-4] * 2 + [1e-4] * 2 + [5e-5, 1e-5]
        n_steps = per_epoch * 10
        rates = [schedule_rate(listed, i, n_steps, lr=9.0) for i in range(n_steps)]
        assert rates == np.repeat(listed, per_epoch).tolist()

    def test_rates_of_epochs_after_a_warmup(self):
        rates = [schedule_rate([0.4, 0.2], i, 8, lr=9.0, warmup=0.25) for i in range(8)]
        expected = [0.4 / 3, 0.8 / 3, 0.4, 0.4, 0.2, 0.2, 0.2, 0.2]
        np.testing.assert_allclose(rates, expected)


def cosine_of(step, n_steps, *, t_max):
    """A cosine with a length of its own, as torch's CosineAnnealingLR."""
    return 0.5 * (1 + math.cos(math.pi * step / t_max))


def first_half(step, n_steps):
    return schedule_factor("cosine", step, 2 * n_steps)


def second_half(step, n_steps):
    return schedule_factor("cosine", n_steps + step, 2 * n_steps)


class TestFunctions:
    def test_by_hand(self):
        values = factors(lambda step, n_steps: 1 - step / n_steps / 2, 4)
        np.testing.assert_allclose(values, [1, 0.875, 0.75, 0.625])
        rates = [
            schedule_rate(lambda i, n: 0.5, i, 4, lr=0.3, min_lr=0.1) for i in range(4)
        ]
        np.testing.assert_allclose(rates, [0.2] * 4)

    def test_length_of_its_own(self):
        """Longer than the training, which ends half way, as torch has it."""
        expected = of_torch(
            lambda opt: torch.optim.lr_scheduler.CosineAnnealingLR(
                opt, 16, eta_min=0.01
            ),
            8,
        )
        schedule = functools.partial(cosine_of, t_max=16)
        rates = [schedule_rate(schedule, i, 8, lr=1.0, min_lr=0.01) for i in range(8)]
        np.testing.assert_allclose(rates, expected, rtol=1e-6)

    def test_one_cosine_in_two_stages(self):
        both = [*factors(first_half, 6), *factors(second_half, 6)]
        np.testing.assert_allclose(both, factors("cosine", 12))

    def test_a_warmup_is_multiplied_with_it(self):
        values = factors(lambda step, n_steps: 0.6, 8, 0.25)
        np.testing.assert_allclose(values, [0.2, 0.4, *[0.6] * 6])
        values = factors(lambda step, n_steps: 0.6, 8, 1, n_epochs=4)
        np.testing.assert_allclose(values, [0.2, 0.4, *[0.6] * 6])

    @pytest.mark.parametrize("value", [1.5, -0.1, math.nan, None, "high", True])
    def test_what_it_must_not_give(self, value):
        message = r"schedule\(0, 3\) must be .* at least 0 and at most 1, got"
        with pytest.raises(ValueError, match=f"test: {message}.*share of lr"):
            check_schedule(lambda step, n_steps: value, 3, caller="test")
        late = functools.partial(max, 0.5)  # from the second step on above one
        with pytest.raises(ValueError, match=r"schedule\(2, 1\) must be"):
            schedule_factor(late, 2, 1)

    def test_numbers_of_numpy_will_do(self):
        for kind in (np.float32, np.float64):
            value = schedule_factor(lambda i, n, kind=kind: kind(0.5), 0, 3)
            assert value == 0.5

    @pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")
    def test_in_a_training(self, waveform, data):
        stages = [
            {"max_epochs": 3, "schedule": first_half},
            {"max_epochs": 3, "schedule": second_half},
            {
                **{"max_epochs": 2, "lr": 1e-4, "min_lr": 1e-5},
                "schedule": functools.partial(cosine_of, t_max=400),
            },
        ]
        clf = clone(waveform(stages=stages, lr=0.01, batch_size=32))
        clf = pickle.loads(pickle.dumps(clf)).fit(data.X, data.votes)
        # Three steps an epoch; the history has the last one's rate.
        whole = 0.01 * factors("cosine", 18)[2::3]
        last = [1e-5 + 9e-5 * cosine_of(step, 6, t_max=400) for step in (2, 5)]
        np.testing.assert_allclose(clf.history_["lr"], [*whole, *last])
        again = pickle.loads(pickle.dumps(clf))
        np.testing.assert_array_equal(
            again.predict_proba(data.X), clf.predict_proba(data.X)
        )

    @pytest.mark.filterwarnings("ignore:.*no window to train on has a vote")
    def test_together_with_a_rate_of_the_backbone(self, waveform, data):
        rates = []

        class Rates(Callback):
            def on_batch_end(self, net, training=None, **kwargs):
                rates.append([g["lr"] for g in net.optimizer_.param_groups])

        waveform(
            schedule=first_half, lr=0.01, backbone_lr=0.002, callbacks=[Rates()]
        ).fit(data.X, data.votes)
        expected = factors("cosine", 24)[:12]
        np.testing.assert_allclose([max(r) for r in rates], 0.01 * expected)
        np.testing.assert_allclose([min(r) for r in rates], 0.002 * expected)


class TestChecks:
    def test_usable(self):
        for name in SCHEDULES:
            assert check_schedule(name, 3, caller="test") == name
        assert check_schedule(np.array([0.1, 0.2]), 2, caller="test") == (0.1, 0.2)
        assert check_warmup(0, 1, caller="test") == 0
        assert check_warmup(0.0, 1, caller="test") == 0
        assert check_warmup(5, 6, caller="test") == 5
        assert isinstance(check_warmup(np.int64(5), 6, caller="test"), int)

    @pytest.mark.parametrize(
        ("schedule", "message"),
        [
            (
                "cosin",
                r"schedule must be one of .*'cosin'. Did you mean 'cosine'",
            ),
            (None, "schedule must be one of .*, got None"),
            (dict, "schedule must be one of .*, got <class"),
            ([1e-3], r"schedule holds 1 rates for max_epochs=2\. Give one"),
            ([1e-3] * 3, "schedule holds 3 rates"),
            ([1e-3, 0.0], r"schedule\[1\] must be .* above 0, got 0.0"),
            ([1e-3, "a"], r"schedule\[1\] must be .*, got 'a'"),
        ],
    )
    def test_unusable_schedules(self, schedule, message):
        with pytest.raises(ValueError, match=f"test: {message}"):
            check_schedule(schedule, 2, caller="test")

    @pytest.mark.parametrize(
        ("warmup", "message"),
        [
            (1.0, "warmup must be .* below 1, got 1.0"),
            (-0.1, "warmup must be .*, got -0.1"),
            (2, "warmup must be an integer .* at most 1, got 2. .*max_epochs=2"),
            (-1, "warmup must be an integer at least 1"),
            (True, "warmup must be .*, got True"),
            ("long", "warmup must be .*, got 'long'"),
        ],
    )
    def test_unusable_warmups(self, warmup, message):
        with pytest.raises(ValueError, match=f"test: {message}"):
            check_warmup(warmup, 2, caller="test")


class TestCallback:
    def net(self, scales=(1.0,), **attributes):
        groups = [{"lr": 0.1 * s, "lr_scale": s} for s in scales]
        return SimpleNamespace(
            lr=0.1,
            n_steps_=12,
            max_epochs=3,
            optimizer_=SimpleNamespace(param_groups=groups),
            history=SimpleNamespace(record=lambda *entry: recorded.append(entry)),
            **attributes,
        )

    def rates(self, net, callback, steps):
        callback.on_train_begin(net)
        rates = []
        for i in range(steps):
            if i % 4 == 0:
                callback.on_epoch_begin(net)
            callback.on_batch_begin(net, training=True)
            rates.append([group["lr"] for group in net.optimizer_.param_groups])
            callback.on_batch_begin(net, training=False)
        return np.array(rates)

    @pytest.mark.parametrize(
        "schedule", ["cosine", "linear", "one_cycle", [0.3, 0.2, 0.1]]
    )
    def test_every_group_has_its_scale(self, schedule):
        rates = self.rates(
            self.net((1.0, 0.5, 0.05)), LearningRate(schedule, 0.25, 0.01), 12
        )
        expected = [
            schedule_rate(schedule, i, 12, lr=0.1, min_lr=0.01, warmup=0.25, n_epochs=3)
            for i in range(12)
        ]
        np.testing.assert_allclose(rates, np.outer(expected, [1.0, 0.5, 0.05]))

    def test_bit_for_bit_what_it_was(self):
        rates = self.rates(self.net(), LearningRate("cosine", 0.25, 0.003), 12)[:, 0]
        for step, rate in enumerate(rates):
            if step < 3:
                factor = (step + 1) / 4
            else:
                factor = 0.5 * (1.0 + math.cos(math.pi * ((step - 3) / 9)))
            assert rate == 0.003 + (0.1 - 0.003) * factor

    def test_goes_on_where_a_training_was(self):
        all_rates = self.rates(self.net(), LearningRate("cosine", 0.0, 0.0), 12)
        net = self.net(step_offset_=8)
        rates = self.rates(net, LearningRate("cosine", 0.0, 0.0), 4)
        assert np.array_equal(rates, all_rates[8:])

    def test_constant_is_left_to_others(self):
        net = self.net((1.0, 0.5))
        net.optimizer_.param_groups[0]["lr"] = 7.0
        rates = self.rates(net, LearningRate("constant", 0.0, 0.0), 3)
        assert (rates == [7.0, 0.05]).all()

    def test_history_has_the_head_s(self):
        recorded.clear()
        net = self.net((2.0, 1.0, 0.5))
        LearningRate("cosine", 0.0, 0.0).on_epoch_end(net)
        LearningRate("cosine", 0.0, 0.0).on_epoch_end(self.net((0.5,)))
        assert recorded == [("lr", 0.1), ("lr", 0.05)]


recorded = []
