"""Nets of full recipes on a GPU: windows a second and memory of fifty steps.

``python tests/benchmarks/gpu_recipes.py`` needs a CUDA device. Every net of the chosen
recipes that differs in more than its seed is trained for fifty steps as its recipe says
(batch size, frontend, augmentations, loss, optimizer, precision), on simulated
recordings that are read and prepared by its own pipeline. The first ten steps are not
timed. With ``--smoke`` small recipes do three steps on the CPU, which shows
that the script works and nothing more.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from recipe_parts import pipelines_of

from hmsklearn.datasets import load_hms, make_hms
from hmsklearn.recipes import make_recipe

CHOSEN = ("consensus", "hms_2nd", "hms_3rd", "hms_6th", "hms_7th", "hms_10th")
WARM_UP = 10


class Clock(Callback):
    """Note when each step of the training is done."""

    def __init__(self, device, n_steps):
        self.device = device
        self.n_steps = n_steps

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.times_ = []

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        if training and len(self.times_) <= self.n_steps:
            if self.device != "cpu":
                torch.cuda.synchronize(self.device)
            self.times_.append(time.perf_counter())


def views_of(X, rows):
    """Repeat windows, in each view."""
    if isinstance(X, np.ndarray):
        return X[rows]
    return type(X)({name: view[rows] for name, view in X.items()})


def steps(pipe, rows, votes, device, n_steps, warm_up):
    """Train one net; return a line of the table."""
    start = time.perf_counter()
    X = clone(pipe[:-1]).fit_transform(rows)
    prepared = time.perf_counter() - start
    clf = clone(pipe[-1])
    clock = Clock(device, n_steps)
    clf.set_params(
        # One pass over the same windows again and again: stages, sampling and
        # validation decide which windows a step sees, not what a step costs.
        stages=None,
        sampling=None,
        target="window",
        early_stopping=False,
        schedule="constant",
        warmup=0.0,
        max_epochs=1,
        device=device,
        callbacks=[clock],
    )
    if getattr(clf, "pretrain", False):
        clf.set_params(pretrain=False)
    repeats = np.arange(n_steps * clf.batch_size) % len(votes)
    if device != "cpu":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    clf.fit(views_of(X, repeats), votes[repeats])
    held = float("nan")
    if device != "cpu":
        held = torch.cuda.max_memory_allocated(device) / 1e9
    loss = clf.history_["train_loss"].iloc[-1]
    assert np.isfinite(loss)
    times = clock.times_[warm_up:]
    per_second = (len(times) - 1) * clf.batch_size / (times[-1] - times[0])
    millions = sum(p.numel() for p in clf.net_.module_.parameters()) / 1e6
    return (
        f"{millions:>8.1f} {clf.batch_size:>6d} {per_second:>12.1f} {held:>8.2f} "
        f"{loss:>8.3f} {len(votes) / prepared:>10.1f}"
    )


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", default=list(CHOSEN))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--nets", type=int, default=99, help="most of each recipe")
    parser.add_argument("--smoke", action="store_true", help="small, on the CPU")
    args = parser.parse_args(argv)
    if not args.smoke and not torch.cuda.is_available():
        parser.error("needs a CUDA device; --smoke runs small recipes on the CPU")
    device = "cpu" if args.smoke else "cuda"
    scale = "small" if args.smoke else "full"
    n_steps, warm_up = (3, 0) if args.smoke else (args.steps, WARM_UP)
    name = "CPU" if args.smoke else torch.cuda.get_device_name()
    print(f"{n_steps} steps of each net, {scale} scale, {name}", flush=True)
    print(
        f"{'recipe':<10} {'net':<44} {'M params':>8} {'batch':>6} {'windows/s':>12} "
        f"{'GB':>8} {'loss':>8} {'prepared/s':>10}"
    )
    with tempfile.TemporaryDirectory() as folder:
        make_hms(
            *(f"{folder}/hms", 8 if args.smoke else 48),
            records_per_patient=1,
            windows_per_record=1,
            n_test=1,
            random_state=0,
            n_jobs=-1,
        )
        train = load_hms(f"{folder}/hms")
        rows, votes = train.data, np.asarray(train.target)
        for recipe in args.recipes:
            found = pipelines_of(make_recipe(recipe, scale))
            for path, pipe in list(found.items())[: args.nets]:
                try:
                    line = steps(pipe, rows, votes, device, n_steps, warm_up)
                except torch.OutOfMemoryError:
                    line = "more memory than the device has"
                print(f"{recipe:<10} {path:<44} {line}", flush=True)


if __name__ == "__main__":
    main()
