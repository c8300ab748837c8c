"""Stages: their settings, their windows, what they freeze."""

import numpy as np
import pytest
import timm
import torch
from torch import nn

from hmsklearn.neural._module import NormalizedNet
from hmsklearn.neural._stages import (
    OVERRIDABLE,
    STARTS,
    Stage,
    freeze_parameters,
    parse_stages,
    several_classes,
    stage_rows,
)

DEFAULTS = {"max_epochs": 10, "lr": 1e-3, "ema": 0.99, "device": "cpu", "stages": None}


def parse(stages, defaults=DEFAULTS):
    return parse_stages(stages, defaults, caller="test")


class TestParse:
    def test_none_is_one_stage(self):
        [stage] = parse(None)
        assert stage.settings == DEFAULTS
        assert not stage.chooses_rows
        assert (stage.freeze, stage.start, stage.name) == ((), None, None)

    def test_settings_are_merged(self):
        def rule(fractions, total_votes):
            return total_votes > 3

        first, second = parse(
            [
                {"name": "all", "max_epochs": 3, "ema": None, "freeze": "backbone"},
                {
                    "lr": 1e-4,
                    "min_votes": 10,
                    "max_votes": 20,
                    "rows": rule,
                    "freeze": ["stem", "block*"],
                    "start": "ema",
                },
            ]
        )
        # None is a value: this stage has no average.
        assert first.settings == {**DEFAULTS, "max_epochs": 3, "ema": None}
        assert (first.name, first.freeze) == ("all", ("backbone",))
        assert second.settings == {**DEFAULTS, "lr": 1e-4}
        assert (second.min_votes, second.max_votes, second.rows) == (10, 20, rule)
        assert (second.freeze, second.start) == (("stem", "block*"), "ema")
        assert second.chooses_rows
        assert not first.chooses_rows
        assert DEFAULTS["max_epochs"] == 10

    @pytest.mark.parametrize("key", OVERRIDABLE)
    def test_everything_that_may_differ(self, key):
        value = object()
        [stage] = parse([{key: value}])
        assert stage.settings[key] is value

    def test_does_not_write_into_what_it_reads(self):
        given = [{"lr": 0.1, "freeze": ["a"]}]
        parse(given)
        assert given == [{"lr": 0.1, "freeze": ["a"]}]

    @pytest.mark.parametrize("start", [*STARTS, None])
    def test_starts(self, start):
        assert parse([{"start": start}])[0].start == start

    @pytest.mark.parametrize(
        ("stage", "message"),
        [
            ({"max_epoch": 3}, "'max_epoch' is not known. Did you mean 'max_epochs'"),
            ({"min_vote": 3}, "'min_vote' is not known. Did you mean 'min_votes'"),
            ({3: 3}, "3 is not known"),
            ({"device": "cuda"}, "'device' is the same in all stages"),
            ({"min_votes": -1}, "min_votes must be .*, got -1"),
            ({"max_votes": "many"}, "max_votes must be .*, got 'many'"),
            ({"min_votes": 10, "max_votes": 5}, "min_votes=10 is above max_votes=5"),
            ({"rows": "several"}, "rows must be one of .* mean 'several_classes'"),
            ({"start": "last"}, "start must be one of .*, got 'last'"),
        ],
    )
    def test_unusable(self, stage, message):
        with pytest.raises(ValueError, match=f"test: stage 2: {message}"):
            parse([{}, stage])

    @pytest.mark.parametrize(
        "stages", [{}, [], "two", [3], [{"freeze": 3}], [{"freeze": [3]}]]
    )
    def test_wrong_types(self, stages):
        with pytest.raises(TypeError, match=r"test: .*must be a (list|dict)"):
            parse(stages)


def counts_of(n_votes, n_classes, most=None):
    """All ways to give so many votes, in falling order."""
    if n_classes == 0:
        if n_votes == 0:
            yield ()
        return
    most = n_votes if most is None else min(n_votes, most)
    for first in range(most, -1, -1):
        for rest in counts_of(n_votes - first, n_classes - 1, first):
            yield (first, *rest)


class TestRows:
    COUNTS = np.array(
        [[3, 0, 0], [5, 0, 0], [6, 0, 0], [6, 4, 0], [6, 5, 0], [4, 3, 3], [5, 5, 5]]
    )
    TOTAL = COUNTS.sum(axis=1).astype(float)
    FRACTIONS = COUNTS / TOTAL[:, None]

    def rows(self, **rules):
        mask = stage_rows(Stage(**rules), self.FRACTIONS, self.TOTAL, caller="test")
        assert mask.dtype == bool
        return np.flatnonzero(mask).tolist()

    def test_votes(self):
        assert self.rows() == [0, 1, 2, 3, 4, 5, 6]
        assert self.rows(min_votes=6) == [2, 3, 4, 5, 6]
        assert self.rows(max_votes=6) == [0, 1, 2]
        assert self.rows(min_votes=6, max_votes=10) == [2, 3, 5]

    def test_several_classes(self):
        assert self.rows(rows="several_classes") == [5, 6]

    def test_agreed_or_many(self):
        assert self.rows(rows="agreed_or_many") == [2, 4, 6]

    def test_callable(self):
        def rule(fractions, total_votes):
            chosen = fractions[:, 1] > 0
            fractions[:] = total_votes[:] = 0
            return chosen

        assert self.rows(rows=rule, min_votes=11) == [4, 6]
        assert self.TOTAL[0] == 3

    def test_several_classes_is_the_published_rule(self):
        # Every vote pattern that the data can have.
        patterns = [c for n in range(1, 29) for c in counts_of(n, 6)]
        assert len(set(patterns)) == len(patterns) > 3000
        counts = np.array(patterns, dtype=float)
        total = counts.sum(axis=1)
        fractions = counts / total[:, None]
        score = np.log(1 / 6 / (fractions + 1e-5)).sum(axis=1) / 6
        ours = several_classes(fractions, total)
        assert np.array_equal(ours, score < 5.5)
        assert 0 < ours.sum() < ours.size
        # Far from the limit on both sides, as the docstring says.
        assert score[~ours].min() > 6.1
        assert score[ours].max() < 5.1

    def test_unknown_votes(self):
        unknown = np.full(7, np.nan)
        for rules in ({"min_votes": 3}, {"max_votes": 3}, {"rows": "agreed_or_many"}):
            with pytest.raises(ValueError, match="needs the number of votes of every"):
                stage_rows(Stage(**rules), self.FRACTIONS, unknown, caller="test")
        stage = Stage(rows="several_classes")
        assert stage_rows(stage, self.FRACTIONS, unknown, caller="test").sum() == 2

    def test_too_few(self):
        with pytest.raises(
            ValueError,
            match=r"test: 1 of 7 windows are left with min_votes=15, and at least 2 .*"
            r"windows: 1 with 3, 1 with 5, 1 with 6, 2 with 10, 1 with 11, 1 with 15\.",
        ):
            self.rows(min_votes=15)

    def test_many_numbers_are_summed_up(self):
        votes = np.repeat(np.arange(1.0, 21), 2)
        with pytest.raises(
            ValueError, match=r"2 with 1, .* 2 with 11, 18 with 12 to 20\. Lower"
        ):
            stage_rows(Stage(min_votes=99), np.eye(40), votes, caller="test")

    @pytest.mark.parametrize(
        "returned", [np.arange(7), np.ones(3, dtype=bool), np.ones((7, 1), dtype=bool)]
    )
    def test_no_mask(self, returned):
        with pytest.raises(ValueError, match="test: rows must return a mask"):
            self.rows(rows=lambda fractions, total_votes: returned)


class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(2, 4, 3)
        self.norm = nn.BatchNorm1d(4)
        self.plain_norm = nn.BatchNorm1d(4, affine=False)
        self.block = nn.Conv1d(4, 4, 1)
        self.block_norm = nn.BatchNorm1d(4)
        self.head = nn.Sequential(
            nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 3)
        )

    def forward(self, x):
        x = self.plain_norm(self.norm(self.stem(x)))
        return self.head(self.block_norm(self.block(x)).mean(dim=2))


@pytest.fixture
def net():
    torch.manual_seed(0)
    return NormalizedNet(Body, {}, None).train()


def state(net):
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def changed_by_training(net, frozen):
    """Names of what three steps change."""
    net.train()
    for part in frozen:
        part.eval()
    before = state(net)
    learned = [p for p in net.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        net({"x": torch.randn(8, 2, 9)}).square().sum().backward()
        optimizer.step()
    return {n for n, value in net.state_dict().items() if not value.equal(before[n])}


class TestFreeze:
    def test_backbone(self, net):
        undo, frozen = freeze_parameters(net, "backbone", caller="test")
        body = net.body
        assert set(frozen) == {body.norm, body.plain_norm, body.block_norm}
        assert not any(part.training for part in frozen)
        changed = changed_by_training(net, frozen)
        assert changed
        assert all(name.startswith("body.head.") for name in changed)
        assert "body.head.1.running_mean" in changed
        undo()
        assert all(p.requires_grad for p in net.parameters())
        assert all(part.training for part in frozen)
        assert "body.norm.running_mean" in changed_by_training(net, [])

    def test_head(self, net):
        _, frozen = freeze_parameters(net, "head", caller="test")
        assert frozen == [net.body.head[1]]
        changed = changed_by_training(net, frozen)
        assert "body.stem.weight" in changed
        assert not any(name.startswith("body.head.") for name in changed)

    @pytest.mark.parametrize("pattern", ["stem", "body.stem", "st?m", "stem.*"])
    def test_a_layer(self, net, pattern):
        _, frozen = freeze_parameters(net, [pattern], caller="test")
        assert frozen == []
        still = {n for n, p in net.named_parameters() if not p.requires_grad}
        assert still == {"body.stem.weight", "body.stem.bias"}

    def test_names_are_whole(self, net):
        # "block" is not the start of "block_norm".
        _, frozen = freeze_parameters(net, "block", caller="test")
        assert frozen == []
        assert net.body.block_norm.weight.requires_grad

    def test_a_norm_without_parameters(self, net):
        _, frozen = freeze_parameters(net, ["plain_norm", "norm"], caller="test")
        assert frozen == [net.body.norm, net.body.plain_norm]
        changed = changed_by_training(net, frozen)
        assert not any(
            "running" in n and "block" not in n and "head" not in n for n in changed
        )

    def test_half_a_norm_goes_on(self, net):
        _, frozen = freeze_parameters(net, "norm.bias", caller="test")
        assert frozen == []
        assert net.body.norm.training

    def test_undo_leaves_what_was_frozen_before(self, net):
        net.body.stem.bias.requires_grad_(False)
        net.body.norm.eval()
        undo, _ = freeze_parameters(net, ["stem", "norm"], caller="test")
        undo()
        assert not net.body.stem.bias.requires_grad
        assert net.body.stem.weight.requires_grad
        assert not net.body.norm.training

    @pytest.mark.parametrize("backbone", ["test_efficientnet", "test_vit"])
    def test_backbones_of_timm(self, backbone):
        net = nn.Module()
        net.body = timm.create_model(backbone, num_classes=6)
        _, frozen = freeze_parameters(net, "backbone", caller="test")
        learned = {n for n, p in net.named_parameters() if p.requires_grad}
        head = {"test_efficientnet": "classifier", "test_vit": "head"}[backbone]
        assert learned == {f"body.{head}.weight", f"body.{head}.bias"}
        norms = [
            m for m in net.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)
        ]
        assert frozen == norms
        assert bool(norms) == (backbone == "test_efficientnet")

    @pytest.mark.parametrize(
        ("patterns", "message"),
        [
            ("stems", r"freeze='stems' fits no parameter. Did you mean 'stem'\?"),
            (["stem", "tail"], "freeze='tail' fits no .* layers are .'stem', 'norm'"),
            ("*", r"freeze=\['\*'\] leaves nothing to train"),
            (["backbone", "head"], "leaves nothing to train"),
        ],
    )
    def test_unusable(self, net, patterns, message):
        with pytest.raises(ValueError, match=f"test: .*{message}"):
            freeze_parameters(net, patterns, caller="test")
        assert all(p.requires_grad for p in net.parameters())

    @pytest.mark.parametrize("pattern", ["backbone", "head"])
    def test_unknown_head(self, pattern):
        net = nn.Module()
        net.body = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 3))
        with pytest.raises(ValueError, match="needs to know the head"):
            freeze_parameters(net, pattern, caller="test")
        net.body.head_prefixes = ("1.",)
        _, _ = freeze_parameters(net, pattern, caller="test")
        assert net.body[0].weight.requires_grad == (pattern == "head")
