"""Transforming n windows takes the output and a constant, whatever n is."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from hmsklearn import imaging, preprocessing, spectrogram

#: Steps, for five seconds of EEG, as source: they are built elsewhere.
STEPS = [
    "preprocessing.AmplitudeScaler()",
    "preprocessing.ButterworthFilter()",
    "preprocessing.ButterworthFilter(phase='causal')",
    "preprocessing.CentreCrop(n_times=900)",
    "preprocessing.ChannelQuality()",
    "preprocessing.Decimator(5)",
    "preprocessing.FIRFilter(5.0, 20.0)",
    "preprocessing.MontageTransformer()",
    "preprocessing.MontageTransformer('average_reference')",
    "preprocessing.NaNImputer()",
    "preprocessing.NotchFilter()",
    "preprocessing.RobustChannelScaler()",
    "imaging.BackgroundNormalizer()",
    "imaging.ChainMean('referential_ekg', ('L', 'Z', 'R'))",
    "imaging.ImageResizer(30)",
    "imaging.ImageStandardizer()",
    "imaging.ImageTiler((4, 5))",
    "imaging.KaggleSpectrogramImager(width=40)",
    "imaging.PanelStatistics((20, 'mean'), over='time')",
    "imaging.PlaneContrast()",
    "imaging.ViewUnion([('long', preprocessing.CentreCrop(n_times=900)), "
    "('short', preprocessing.CentreCrop(n_times=500))])",
    "imaging.WaveformImager()",
    "imaging.WaveformPlotter(100, 100)",
    "imaging.WindowUnion([('long', preprocessing.CentreCrop(n_times=900)), "
    "('short', preprocessing.CentreCrop(n_times=500))])",
    "spectrogram.HostSpectrogramizer()",
    "spectrogram.MelSpectrogramizer(hop_length=30)",
    "spectrogram.MultitaperSpectrogramizer()",
    "spectrogram.STFTSpectrogramizer(n_fft=256, hop_length=40)",
    "spectrogram.WaveletScalogramizer(fmin=4.0, n_freqs=8, n_columns=50)",
    "spectrogram.WaveletScalogramizer(fmin=8.0, n_freqs=4, n_columns=50, order=3)",
]

SCRIPT = textwrap.dedent(
    """
    import json, sys
    import numpy as np
    from hmsklearn import imaging, preprocessing, spectrogram

    def read(field):
        for line in open("/proc/self/status"):
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024

    rng = np.random.default_rng(0)
    some = rng.normal(0, 30, (100, 20, 1000)).astype(np.float32)
    extra = {}
    for step in sys.argv[1:]:
        extra[step] = []
        for n_windows in (200, 2000):
            X = np.tile(some, (n_windows // 100, 1, 1))
            transformer = eval(step)
            if 3 not in getattr(transformer, "_ndim", (3,)):
                X = np.abs(X, out=X).reshape(-1, 20, 20, 50)  # power, as images
            transformer.fit(X[:1])
            transformer.transform(X[:2])  # constants and imports
            open("/proc/self/clear_refs", "w").write("5")  # the peak starts from here
            before = read("VmRSS")
            out = transformer.transform(X)
            views = out.values() if hasattr(out, "values") else [out]
            used = sum(view.nbytes for view in views)
            extra[step].append(read("VmHWM") - before - used)
            del X, out
    print(json.dumps(extra))
    """
)


@pytest.mark.slow(seconds=60)
@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="reads Linux's peak of memory"
)
def test_peak_is_the_output_and_a_constant():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *STEPS], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for step, extra in json.loads(done.stdout).items():
        # Memory that was free before the start counts as negative.
        few, many = (max(0, peak) for peak in extra)
        # 200 windows are 16 MB of input, 2,000 are 160 MB.
        assert few < 64 * 2**20, f"{step}: {few / 2**20:.0f} MB besides the output"
        assert many < few + 16 * 2**20, f"{step}: {few} bytes grew to {many}"


@pytest.mark.parametrize("room", [imaging, preprocessing, spectrogram])
def test_every_step_is_measured(room):
    measured = " ".join(STEPS)
    assert [name for name in room.__all__ if f".{name}(" not in measured] == []
