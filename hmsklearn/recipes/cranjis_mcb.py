"""Cranjis-McB: six experiments with EfficientNet-B2 on spectrograms.

Panels below one another, statistics over the panels, both together, spectra of the EEG
with percentiles over time, and averages of these. Each is the image of the one before
with one change, which is what makes the series worth reading.
"""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import make_pipeline

from hmsklearn.datasets import HMSReader
from hmsklearn.ensemble import AveragingKLClassifier
from hmsklearn.imaging import (
    ChainMean,
    ImageResizer,
    ImageTiler,
    KaggleSpectrogramImager,
    PanelStatistics,
    WindowUnion,
)
from hmsklearn.neural import TimmClassifier
from hmsklearn.pipeline import RowPipeline
from hmsklearn.preprocessing import MontageTransformer, NaNImputer
from hmsklearn.recipes._registry import register_recipe
from hmsklearn.recipes._scale import Scale
from hmsklearn.spectrogram import MelSpectrogramizer

__all__ = ["cranjis_mcb"]

PANELS = ("LL", "LP", "RL", "RP")
STATISTICS = PanelStatistics(("min", "max", "mean", "range"))
PERCENTILES = PanelStatistics((20, 40, 60, 80), over="time", output="appended")
COLUMN = ImageTiler("column")


def published(experiment: str) -> tuple[float | None, float]:
    """Tell the KL of an experiment: over all votes out of fold, and public."""
    return {
        "baseline": (0.7287, 0.45),
        "global": (0.7324, 0.46),
        "model_ensemble": (None, 0.42),
        "input_ensemble": (0.7027, 0.43),
        "eeg_percentiles": (0.7104, 0.45),
        "eeg_global": (0.7537, 0.46),
        "eeg_ensemble": (None, 0.42),
        "kaggle_eeg": (None, 0.38),
    }[experiment]


@register_recipe(
    "cranjis_mcb",
    inputs="Kaggle spectrogram, mel spectra of the EEG, statistics of both",
    nets="EfficientNet-B2",
    public=0.38,
    source="https://github.com/Cranjis-McB/HMS-Harmful-Brain-Activity-Classification",
    family="single images",
)
def cranjis_mcb(s: Scale, experiment: str = "kaggle_eeg") -> Any:
    """Build one of the six experiments, by default the last.

    `experiment` is ``"baseline"`` (1), ``"global"`` (2), ``"model_ensemble"`` or
    ``"input_ensemble"`` (3), ``"eeg_percentiles"``, ``"eeg_global"`` or
    ``"eeg_ensemble"`` (4), or ``"kaggle_eeg"`` (5 and 6: the average of both kinds).
    """

    def member(number: int, view: str, *image: Any) -> RowPipeline:
        clean = [NaNImputer(), MontageTransformer("chris")] if view == "eeg" else []
        net = TimmClassifier(
            s("tf_efficientnet_b2", "test_efficientnet"),
            frontend=make_pipeline(*clean, *image, *s([], [ImageResizer(64)])),
            lr=1e-3,
            schedule="one_cycle",
            max_epochs=s(6, 2),
            batch_size=s(32, 8),  # theirs is not stated
            # One window of each EEG an epoch, with the votes of all of them.
            sampling="eeg",
            target="eeg_votes",
            augment=[("cut_mix", {"same_class": True})],
            # The best of twelve evaluations is kept.
            early_stopping=True,
            validation_fraction=0.2,
            evaluations_per_epoch=2,
            patience=12,
            random_state=s.seed(number),
        )
        return RowPipeline([("read", HMSReader(view=view)), ("net", net)])

    def average(*members: tuple[str, Any]) -> AveragingKLClassifier:
        return AveragingKLClassifier(list(members), weights=[0.5, 0.5])

    kaggle = KaggleSpectrogramImager(PANELS, width=None)
    mel = make_pipeline(MelSpectrogramizer(), ChainMean("chris", PANELS))
    baseline = member(0, "spectrogram", kaggle, COLUMN)
    statistics = member(1, "spectrogram", kaggle, STATISTICS, COLUMN)
    both = WindowUnion(
        [("panels", COLUMN), ("statistics", make_pipeline(STATISTICS, COLUMN))]
    )
    eeg_percentiles = member(3, "eeg", mel, PERCENTILES, COLUMN)
    eeg_statistics = member(4, "eeg", mel, STATISTICS, COLUMN)
    model_ensemble = average(("baseline", baseline), ("global", statistics))
    eeg_ensemble = average(("percentiles", eeg_percentiles), ("global", eeg_statistics))
    experiments = {
        "baseline": baseline,
        "global": statistics,
        "model_ensemble": model_ensemble,
        "input_ensemble": member(2, "spectrogram", kaggle, both),
        "eeg_percentiles": eeg_percentiles,
        "eeg_global": eeg_statistics,
        "eeg_ensemble": eeg_ensemble,
        "kaggle_eeg": average(("kaggle", model_ensemble), ("eeg", eeg_ensemble)),
    }
    if experiment not in experiments:
        raise ValueError(
            f"make_recipe: cranjis_mcb has no experiment {experiment!r}. Choose one of "
            f"{', '.join(experiments)}."
        )
    return experiments[experiment]
