"""Recomputed blocks: compiled, and with batch norms that count a batch once."""

import copy

import numpy as np
import pytest
import torch

from hmsklearn.nets import TimmNet
from hmsklearn.neural import WaveformClassifier

#: Two blocks; GRUs are left out of graphs by torch itself.
SMALL = {"width": 4, "kernels": (3, 5), "n_blocks": 2, "gru_hidden": 0}


@pytest.fixture
def quick_compile(monkeypatch):
    """Let torch.compile trace forward and backward pass, but write no code."""
    original = torch.compile
    monkeypatch.setattr(
        torch,
        "compile",
        lambda module, **kwargs: original(module, backend="aot_eager"),
    )
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("quick_compile")
def test_compiled_training_is_the_same():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((8, 3, 200)).astype(np.float32)
    y = np.arange(8) % 2
    params = {
        "architecture_params": SMALL,
        **{"classes": "infer", "max_epochs": 2, "batch_size": 4, "random_state": 0},
        **{"device": "cpu", "grad_checkpointing": True},
    }
    compiled = WaveformClassifier(compile=True, **params).fit(X, y)
    plain = WaveformClassifier(**{**params, "grad_checkpointing": False}).fit(X, y)
    ours, theirs = (clf.net_.module_.state_dict() for clf in (compiled, plain))
    for key, value in theirs.items():
        # Steps of Adam from gradients close to zero have the size of the rate.
        torch.testing.assert_close(
            ours[key], value, rtol=1e-3, atol=1e-4, msg=lambda m, k=key: f"{k}: {m}"
        )
    counts = [v.item() for k, v in ours.items() if k.endswith("num_batches_tracked")]
    assert counts
    assert set(counts) == {4}  # two epochs of two batches
    np.testing.assert_allclose(
        compiled.predict_proba(X), plain.predict_proba(X), atol=1e-4
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_hooks_of_the_norms_leave_the_graph_whole():
    torch.manual_seed(0)
    plain = TimmNet(1, 2, (32, 32), backbone="test_resnet")
    saving = copy.deepcopy(plain)
    saving.set_grad_checkpointing()
    x = torch.randn(2, 1, 32, 32)
    plain(x).sum().backward()
    torch._dynamo.reset()
    torch.compile(saving, backend="aot_eager", fullgraph=True)(x).sum().backward()
    torch._dynamo.reset()
    for a, b in zip(plain.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(b.grad, a.grad, rtol=1e-4, atol=1e-4)
    for (key, a), (_, b) in zip(
        plain.named_buffers(), saving.named_buffers(), strict=True
    ):
        torch.testing.assert_close(b, a, msg=key)
    assert saving.backbone.layer1[0].bn1.num_batches_tracked.item() == 1
