"""A film beside an image: branches whose kernels have three axes and two."""

import numpy as np
import torch

from hmsklearn.neural import MultiViewClassifier, TimmClassifier, VideoClassifier
from hmsklearn.views import WindowViews


def test_film_beside_an_image():
    rng = np.random.default_rng(0)
    X = WindowViews(
        image=rng.standard_normal((8, 1, 32, 32)).astype(np.float32),
        film=rng.standard_normal((8, 1, 4, 32, 32)).astype(np.float32),
    )
    y = np.arange(8) % 2
    small = {"depth_factor": 0.4, "width_factor": 0.4, "head_width": 16}
    clf = MultiViewClassifier(
        [
            ("image", TimmClassifier("test_efficientnet")),
            ("film", VideoClassifier("x3d_s", architecture_params=small)),
        ],
        classes="infer",
        max_epochs=1,
        batch_size=4,
        device="cpu",
        random_state=0,
    )
    proba = clf.fit(X, y).predict_proba(X)
    assert np.isfinite(proba).all()
    # Images go through the net channels last, and their kernels are laid out so.
    kernels = [kernel for kernel in clf.net_.module_.parameters() if kernel.ndim == 4]
    assert any(kernel.shape[1] > 1 and kernel.shape[-1] > 1 for kernel in kernels)
    assert all(
        kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels
    )
    assert any(kernel.ndim == 5 for kernel in clf.net_.module_.parameters())
