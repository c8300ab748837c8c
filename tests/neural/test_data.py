import gc
import itertools
import tracemalloc
import weakref

import numpy as np
import pytest
import torch

from hmsklearn.neural._batches import BatchIterator
from hmsklearn.neural._data import (
    WindowDataset,
    check_batchable,
    mean_and_std,
    split_rows,
)
from hmsklearn.neural._losses import VoteKLLoss
from hmsklearn.neural._module import NormalizedNet
from hmsklearn.preprocessing import NaNImputer


class TestBatchIterator:
    @pytest.mark.parametrize("n", [1, 2, 5, 6, 7, 8])
    @pytest.mark.parametrize("batch_size", [1, 2, 3, 50])
    @pytest.mark.parametrize("shuffle", [False, True])
    def test_every_window_once_and_none_alone(self, n, batch_size, shuffle):
        data = WindowDataset(np.arange(n).reshape(n, 1, 1))
        batches = BatchIterator(data, batch_size, shuffle=shuffle)
        seen = [batch["x"].flatten().tolist() for batch, _ in batches]
        order = list(itertools.chain.from_iterable(seen))
        assert len(batches) == len(seen)
        assert sorted(order) == list(range(n))
        if batch_size > 1 and n > 1:
            assert min(map(len, seen)) > 1
        assert max(map(len, seen)) <= batch_size + 1
        if not shuffle:
            assert order == list(range(n))

    def test_order_comes_from_torch(self):
        batches = BatchIterator(WindowDataset(np.zeros((9, 1, 1)), np.eye(9)), 9, True)
        orders = []
        for seed in (0, 0, 1):
            torch.manual_seed(seed)
            [(_, target)] = batches
            orders.append(target.argmax(dim=1).tolist())
        assert orders[0] == orders[1] != orders[2]


class TestWindowDataset:
    def test_holds_the_array_itself(self):
        X = np.zeros((4, 2, 3))
        data = WindowDataset(X, np.eye(4), rows=np.array([1, 3]))
        assert data.windows is X
        assert len(data) == 2
        assert np.array_equal(data.y, np.eye(4)[[1, 3]])
        assert data.X.shape == (2, 2, 3)
        assert data.window_shape == (2, 3)
        assert WindowDataset(X).y is None

    def test_weights_follow_rows(self):
        data = WindowDataset(
            np.arange(4.0).reshape(4, 1), np.eye(4), np.arange(4) * 10, np.array([2, 1])
        )
        batch, target = data[np.array([1, 0])]
        assert batch["x"].flatten().tolist() == [1, 2]
        assert batch["sample_weight"].tolist() == [10, 20]
        assert target.argmax(dim=1).tolist() == [1, 2]

    @pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int16])
    @pytest.mark.parametrize("chunk", [None, 100])
    def test_mean_and_std(self, monkeypatch, dtype, chunk):
        if chunk:
            monkeypatch.setattr("hmsklearn.neural._data._CHUNK_BYTES", chunk)
        rng = np.random.default_rng(0)
        # A small deviation on a large offset, where float32 sums go wrong.
        X = (1000 + 3 * rng.standard_normal((30, 2, 50))).astype(dtype)
        rows = np.arange(0, 30, 2)
        mean, std = mean_and_std(X, rows)
        exact = X[rows].astype(np.float64)
        assert mean == pytest.approx(exact.mean(), rel=1e-12)
        assert std == pytest.approx(exact.std(), rel=1e-9)

    def test_no_deviation(self):
        assert mean_and_std(np.full((3, 2), 0.1), np.arange(3)) == (
            pytest.approx(0.1),
            pytest.approx(0, abs=1e-7),
        )


class TestCheck:
    @pytest.mark.parametrize(
        "dtype", [np.float16, np.float32, np.float64, np.int16, np.uint8, bool]
    )
    def test_arrays_pass_through(self, dtype):
        X = np.ones((2, 3, 4), dtype=dtype)
        assert check_batchable(X, caller="test", ndim=(3,)) is X

    def test_others_are_converted(self):
        X = check_batchable([[[1, 2]]], caller="test", ndim=(3,))
        assert X.dtype == np.float32

    def test_half_precision_is_checked(self):
        X = np.ones((2, 3, 4), dtype=np.float16)
        X[1, 2] = np.inf
        with pytest.raises(ValueError, match=r"infinity .first in window 1, channel 2"):
            check_batchable(X, caller="test", ndim=(3,))
        with pytest.raises(ValueError, match="3 channels"):
            check_batchable(X, caller="test", ndim=(3,), n_channels=2)
        with pytest.raises(ValueError, match="3 dimensions"):
            check_batchable(X, caller="test", ndim=(4,))
        with pytest.raises(ValueError, match="0 sample"):
            check_batchable(X[:0], caller="test", ndim=(3,))


class TestSplit:
    def split(self, groups, fraction=0.5, n=8, seed=0):
        return split_rows(
            np.arange(n),
            groups,
            fraction=fraction,
            random_state=np.random.RandomState(seed),
            caller="test",
        )

    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("fraction", [0.01, 0.3, 0.99])
    def test_groups_stay_together(self, seed, fraction):
        groups = np.array(list("aabbbccd"))
        train, valid = self.split(groups, fraction, seed=seed)
        assert not set(groups[train]) & set(groups[valid])
        assert train.size
        assert valid.size
        assert np.array_equal(np.sort(np.concatenate([train, valid])), np.arange(8))

    def test_rows_that_are_left_out_stay_out(self):
        groups = np.array([0, 0, 1, 1, 2, 2])
        train, valid = split_rows(
            np.array([0, 2, 3, 5]),
            groups,
            fraction=0.3,
            random_state=np.random.RandomState(0),
            caller="test",
        )
        assert sorted([*train, *valid]) == [0, 2, 3, 5]

    @pytest.mark.parametrize("seed", range(5))
    def test_eegs_stay_together_where_patients_are_unknown(self, seed):
        eeg_id = np.array(list("abcdabcd"))
        with pytest.warns(UserWarning, match="EEGs of one patient.*groups=patient_id"):
            train, valid = split_rows(
                np.arange(8),
                None,
                eeg_id=eeg_id,
                fraction=0.25,
                random_state=np.random.RandomState(seed),
                caller="test",
            )
        assert len(valid) == 2
        assert not set(eeg_id[train]) & set(eeg_id[valid])

    def test_patients_count_where_both_are_known(self):
        groups = np.array([0, 0, 0, 0, 1, 1, 1, 1])
        train, valid = split_rows(
            np.arange(8),
            groups,
            eeg_id=np.arange(8),
            fraction=0.5,
            random_state=np.random.RandomState(0),
            caller="test",
        )
        assert len(set(groups[train])) == len(set(groups[valid])) == 1

    def test_one_eeg(self):
        with (
            pytest.warns(UserWarning, match="without groups"),
            pytest.raises(ValueError, match="at least 2 EEGs to validate"),
        ):
            split_rows(
                np.arange(8),
                None,
                eeg_id=np.zeros(8),
                fraction=0.5,
                random_state=np.random.RandomState(0),
                caller="test",
            )

    def test_too_few_rows(self):
        with (
            pytest.warns(UserWarning, match="without groups"),
            pytest.raises(ValueError, match="at least 3 samples"),
        ):
            self.split(None, n=2)


class TestMemory:
    """A fit holds batches, never a second copy of the windows."""

    @pytest.fixture
    def memmap(self, tmp_path):
        path = tmp_path / "windows.dat"
        X = np.memmap(path, dtype=np.float16, mode="w+", shape=(400, 4, 5000))
        X[:] = np.random.default_rng(0).standard_normal((1, 4, 5000))
        X.flush()
        return np.memmap(path, dtype=np.float16, mode="r", shape=X.shape)

    def test_peak(self, waveform, memmap):
        clf = waveform(
            architecture_params={
                "width": 2,
                "kernels": (3,),
                "n_blocks": 9,
                "gru_hidden": 0,
            },
            max_epochs=1,
            batch_size=8,
        )
        y = np.arange(400) % 6
        tracemalloc.start()
        try:
            clf.fit(memmap, y)
            clf.predict_proba(memmap)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        # 16 MB of windows; a copy in float32 would be 32 MB.
        assert peak < 0.8 * memmap.nbytes

    def test_nothing_of_the_data_is_kept(self, each, data):
        make, X = each
        X = X.copy()
        groups = data.groups
        clf = make(early_stopping=True).fit(X, data.votes, groups=groups)
        alive = weakref.ref(X)
        del X
        gc.collect()
        assert alive() is None
        assert clf.net_.optimizer_ is None
        assert clf.net_.callbacks_ == []


class TestLoss:
    def test_equals_the_definition(self):
        torch.manual_seed(0)
        logits = torch.randn(5, 3, dtype=torch.float64)
        y = torch.tensor(
            [[0.5, 0.5, 0], [1, 0, 0], [0.2, 0.3, 0.5], [0, 0, 1], [0, 1, 0]]
        )
        p = torch.softmax(logits, 1)
        cost = torch.where(y > 0, y * torch.log(y / p), 0.0).sum(1)
        loss = VoteKLLoss()
        torch.testing.assert_close(
            loss(logits, y).double(), cost.mean(), atol=1e-6, rtol=1e-6
        )
        weight = torch.tensor([1.0, 0, 2, 1, 1])
        torch.testing.assert_close(
            loss(logits, y, sample_weight=weight).double(),
            (weight * cost).mean(),
            atol=1e-6,
            rtol=1e-6,
        )

    def test_half_precision_logits_give_a_float32_loss(self):
        loss = VoteKLLoss()(torch.zeros(2, 2, dtype=torch.bfloat16), torch.eye(2))
        assert loss.dtype == torch.float32

    def test_gradient_at_zero_fractions(self):
        logits = torch.zeros(1, 2, requires_grad=True)
        VoteKLLoss()(logits, torch.tensor([[0.0, 1.0]])).backward()
        torch.testing.assert_close(logits.grad, torch.tensor([[0.5, -0.5]]))


def test_module_takes_tensors_and_batches():
    class Body(torch.nn.Module):
        def forward(self, x, mask=None, **others):
            assert not others
            return x if mask is None else x * mask

    net = NormalizedNet(Body, {}, "global")
    net.norm.set_statistics(1.0, 2.0)
    x = torch.tensor([[3.0]])
    assert net(x).item() == 1.0
    assert net({"x": x, "sample_weight": x}).item() == 1.0
    assert net({"x": x, "mask": torch.tensor([[5.0]])}).item() == 5.0


def test_missing_ends_of_records_want_a_frontend(waveform, data):
    X = np.pad(data.X, [(0, 0), (0, 0), (8, 8)], constant_values=np.nan)
    clf = waveform(augment=[("window_jitter", {"n_times": 128})])
    with pytest.raises(ValueError, match=r"contains NaN.*frontend=NaNImputer\(\)"):
        clf.fit(X, data.votes)
    clf.set_params(frontend=NaNImputer(), max_epochs=1).fit(X, data.votes)
    plain = clf.predict_proba(X)
    assert np.isfinite(plain).all()
