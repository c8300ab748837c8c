"""Training and frontends on a GPU: windows a second, against loops written by hand.

``python tests/benchmarks/gpu_training.py`` needs a CUDA device. With ``--smoke`` the
same code runs on the CPU with tiny nets, which shows that it works and nothing more.
Estimator and loop train the same net on the same batches, one after the other, in
turns; the median counts.
"""

import argparse
import statistics
import threading
import time
import warnings
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
import torchaudio
from hand_written import seed_of, train
from scipy.signal import butter
from simulated import eeg
from sklearn.pipeline import make_pipeline

from hmsklearn.montage import get_montage
from hmsklearn.nets import TimmNet, create_net
from hmsklearn.neural import Frontend, TimmClassifier, VideoClassifier
from hmsklearn.preprocessing import ButterworthFilter, MontageTransformer
from hmsklearn.spectrogram import MelSpectrogramizer

N_CLASSES = 6


@dataclass(frozen=True)
class Case:
    """A net, the shape of a window, and how it is trained."""

    name: str
    net: str
    shape: tuple[int, ...]
    batch_size: int
    n_windows: int
    params: dict[str, Any] = field(default_factory=dict)

    def estimator(self, **settings):
        if len(self.shape) == 4:
            return VideoClassifier(
                self.net, architecture_params=self.params, **settings
            )
        return TimmClassifier(self.net, backbone_params=self.params, **settings)

    def make(self):
        n_chans, *size = self.shape
        if len(self.shape) == 4:
            return create_net(self.net, n_chans, N_CLASSES, size, **self.params)
        params = {"backbone_params": self.params} if self.params else {}
        net = TimmNet(n_chans, N_CLASSES, tuple(size), backbone=self.net, **params)
        return net.to(memory_format=torch.channels_last)


CASES = [
    Case("EfficientNet-B0", "tf_efficientnet_b0", (1, 512, 512), 64, 1024),
    Case("EfficientNet-B5", "tf_efficientnet_b5", (1, 512, 512), 16, 192),
    Case("ConvNeXt-tiny", "convnext_tiny", (3, 384, 384), 32, 512),
    Case("MaxViT-tiny", "maxvit_tiny_tf_384", (3, 384, 384), 16, 256),
    Case("X3D-L", "x3d_l", (3, 16, 224, 224), 8, 64),
    Case("DINOv2 ViT-S", "vit_small_patch14_dinov2", (3, 518, 518), 16, 256),
]

SMALL_FILMS = {"depth_factor": 0.2, "width_factor": 0.34, "head_width": 32}

SMOKE = [
    Case("EfficientNet, tiny", "test_efficientnet", (1, 32, 48), 4, 8),
    Case("ViT, tiny", "test_vit", (3, 160, 160), 4, 8),
    Case("X3D, tiny", "x3d_l", (2, 3, 16, 20), 4, 8, SMALL_FILMS),
]


class Utilization:
    """Share of the time in which the GPU computes, asked ten times a second."""

    def __init__(self, device):
        self.device = device
        self.values = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self):
        while not self._stop.wait(0.1):
            try:
                self.values.append(torch.cuda.utilization(self.device))
            except (ModuleNotFoundError, RuntimeError) as error:
                warnings.warn(f"GPU utilization is not told: {error}", stacklevel=1)
                return

    def __enter__(self):
        if self.device != "cpu":
            self._thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def __str__(self):
        return f"{statistics.mean(self.values):.0f} %" if self.values else "-"


def seconds(run, device):
    """Time of a call, with what it left for the GPU to do."""
    if device != "cpu":
        torch.cuda.synchronize(device)
    start = time.perf_counter()
    run()
    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def gigabytes(run, device):
    """Result of a call, and the most memory that it has held on the GPU."""
    if device == "cpu":
        return run(), float("nan")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return run(), torch.cuda.max_memory_allocated(device) / 1e9


def fractions(n):
    counts = np.random.default_rng(0).multinomial(7, np.ones(N_CLASSES) / 6, size=n)
    return (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)


def training(case, device, repeats, n_epochs):
    """Time one net; return a line of the table.

    What an epoch takes is the time of a longer training less that of a shorter one:
    building the net is no part of it. Memory is what tensors take at most.
    """
    rng = np.random.default_rng(0)
    X = rng.standard_normal((case.n_windows, *case.shape), dtype=np.float32)
    y = fractions(len(X))
    amp = None if device == "cpu" else torch.bfloat16
    shared = {"batch_size": case.batch_size, "lr": 1e-4}

    def ours(epochs):
        clf = case.estimator(
            max_epochs=epochs,
            ema=0.99,
            amp=None if amp is None else "bf16",
            device=device,
            random_state=0,
            **shared,
        )
        return clf.fit(X, y).history_["train_loss"].to_numpy()

    def theirs(epochs):
        history = train(
            case.make,
            X,
            y,
            seed=seed_of(0),
            n_epochs=epochs,
            decay=0.99,
            device=device,
            amp=amp,
            **shared,
        )
        return np.array(history)[:, 0]

    losses, held = zip(
        *(gigabytes(partial(run, 1), device) for run in (ours, theirs)), strict=True
    )
    difference = float(np.abs(losses[0] - losses[1]).max())
    turns, busy = [], Utilization(device)
    with busy:
        for _ in range(repeats):
            turns.append(
                [
                    seconds(partial(run, 1 + n_epochs), device)
                    - seconds(partial(run, 1), device)
                    for run in (ours, theirs)
                ]
            )
    # On a busy machine a longer training can be the faster one.
    per_second = [
        n_epochs * len(X) / max(statistics.median(turn[i] for turn in turns), 1e-9)
        for i in (0, 1)
    ]
    return (
        f"{case.name:<22} {per_second[0]:>12.1f} {per_second[1]:>12.1f} "
        f"{per_second[0] / per_second[1]:>8.3g}x {busy!s:>6} {held[0]:>6.1f} "
        f"{held[1]:>8.1f} {difference:>12.1e}"
    )


def frontend(device, repeats, n_windows, n_times):
    """Montage, filter and mel spectrograms on the device, against torchaudio's."""
    X = eeg(n_windows, 20, n_times)
    x = torch.from_numpy(X).to(device)
    steps = make_pipeline(
        MontageTransformer("double_banana"),
        ButterworthFilter(sfreq=200.0, l_freq=0.5, h_freq=20.0),
        MelSpectrogramizer(),
    )
    ours = Frontend(steps, X.shape[1:], caller="benchmark").to(device)
    matrix = torch.tensor(get_montage("double_banana").matrix(), dtype=torch.float32)
    matrix = matrix.to(device)
    b, a = (
        torch.tensor(part, dtype=torch.float64, device=device)
        for part in butter(2, [0.5, 20.0], "bandpass", fs=200.0)
    )
    mel = torchaudio.transforms.MelSpectrogram(
        200, n_fft=1024, win_length=128, hop_length=39, n_mels=128, f_max=20.0
    ).to(device)
    decibels = torchaudio.transforms.AmplitudeToDB("power").to(device)

    def theirs():
        filtered = torchaudio.functional.filtfilt(
            (matrix @ x).double(), a, b, clamp=False
        )
        return decibels(mel(filtered.float()))

    with torch.no_grad(), warnings.catch_warnings():
        # Some of the 128 mel filters lie between two bins of the FFT.
        warnings.filterwarnings("ignore", message=".*mel filterbank has all zero.*")
        ways = [partial(ours, x), theirs]
        for way in ways:
            way()
        turns = [[seconds(way, device) for way in ways] for _ in range(repeats)]
    medians = [statistics.median(turn[i] for turn in turns) for i in (0, 1)]
    return (
        f"{'montage, filter, mel':<22} {n_windows / medians[0]:>12.1f} "
        f"{n_windows / medians[1]:>12.1f} {medians[1] / medians[0]:>8.2f}x"
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="tiny nets on the CPU")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--only", nargs="+", help="parts of the nets' names")
    chosen = parser.parse_args(arguments)
    if not chosen.smoke and not torch.cuda.is_available():
        parser.error("needs a CUDA device; --smoke runs tiny nets on the CPU")
    device = "cpu" if chosen.smoke else "cuda"
    repeats, n_epochs = (1, 1) if chosen.smoke else (chosen.repeats, chosen.epochs)
    where = "CPU" if chosen.smoke else torch.cuda.get_device_name()
    print(f"{where}, torch {torch.__version__}, median of {repeats} turns")
    print(
        f"{'windows/s':<22} {'hmsklearn':>12} {'by hand':>12} {'ratio':>9} {'GPU':>6} "
        f"{'GB':>6} {'by hand':>8} {'loss differs':>12}"
    )
    for case in SMOKE if chosen.smoke else CASES:
        if chosen.only and not any(part in case.name for part in chosen.only):
            continue
        print(training(case, device, repeats, n_epochs), flush=True)
    n_windows, n_times = (2, 2000) if chosen.smoke else (256, 10_000)
    print(frontend(device, repeats, n_windows, n_times), flush=True)


if __name__ == "__main__":
    main()
