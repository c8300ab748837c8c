"""
Needles in noise: the SETI recipe
=================================

Another competition, whose tricks HMS took over. A radio telescope looks at a star and
elsewhere, in turn, six times; does a signal come from the star, and only from there?
``seti`` averages the ensemble that a report describes and what the first five places
did. This page simulates cadences, shows what the background hides, compares a few
tricks and fits the recipe at the small scale.
"""

# %%
# Cadences
# --------
# A cadence is six observations of 273 moments and 256 frequencies. Interference is seen
# wherever the telescope points; a needle is seen only in the first, third and fifth
# observation. The folder has the layout of the competition: give ``load_seti`` the real
# one instead. These needles are brighter than those of the competition, so that small
# nets learn them in seconds.

import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.metrics import RocCurveDisplay, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from hmsklearn.datasets import SETIReader, load_seti, make_seti
from hmsklearn.imaging import BackgroundNormalizer
from hmsklearn.recipes import make_recipe

folder = tempfile.TemporaryDirectory()
root = make_seti(folder.name + "/seti", 120, n_test=12, snr=(40, 200), random_state=3)
seti = load_seti(root)
print(len(seti.data), "cadences,", seti.target.sum(), "with a needle")


def show(ax, cadence, title):
    """Draw the six observations one below the other, time going down."""
    low, high = np.quantile(cadence, (0.02, 0.995))
    ax.imshow(cadence.reshape(-1, 256), aspect="auto", vmin=low, vmax=high)
    for number in range(1, 6):
        ax.axhline(273 * number, color="white", linewidth=0.5)
    ax.set(title=title, xlabel="frequency", xticks=[])


kinds = {"a needle": np.flatnonzero(seti.target)[:2]}
kinds["none"] = np.flatnonzero(seti.target == 0)[:2]
fig, axes = plt.subplots(1, 4, figsize=(10, 5), sharey=True, layout="constrained")
places = [(title, index) for title, indices in kinds.items() for index in indices]
for ax, (title, index) in zip(axes, places, strict=True):
    [cadence] = SETIReader(channels="all").fit_transform(seti.data.iloc[[index]])
    show(ax, cadence, title)
axes[0].set(yticks=273 * (np.arange(6) + 0.5), yticklabels=["star", "elsewhere"] * 3)
plt.show()

# %%
# Less background
# ---------------
# The 1st place won by taking background noise out of the images; how is not
# published. ``BackgroundNormalizer`` subtracts each frequency's median over time and
# divides by its spread. The band-pass goes, and with it what stands still; what drifts
# stays.

reader = SETIReader(channels="all")
flatten = make_pipeline(reader, BackgroundNormalizer(clip=10))
index = kinds["a needle"][:1]
fig, axes = plt.subplots(1, 2, figsize=(8, 5), sharey=True, layout="constrained")
for ax, step, title in ((axes[0], reader, "as read"), (axes[1], flatten, "normalised")):
    show(ax, step.fit_transform(seti.data.iloc[index])[0], title)
axes[0].set(yticks=273 * (np.arange(6) + 0.5), yticklabels=["star", "elsewhere"] * 3)
plt.show()

# %%
# Tricks side by side
# -------------------
# The members of the recipe are pipelines from rows to a net. Each is fitted on half of
# the cadences. At this size the numbers say that all of them run, and what taking out
# the background does here; they say nothing about the competition.

train, test, y_train, y_test = train_test_split(
    seti.data, seti.target, test_size=0.5, stratify=seti.target, random_state=0
)
recipe = make_recipe("seti", "small", device="cpu", random_state=0)
parts = dict(recipe.estimators)
plain = dict(parts["write_up"].estimators)["resnet34d_10"]
tricks = {
    "mixup": plain,
    "OR-mixup": parts["second"],
    "triplet attention, GeM, focal, MADGRAD": parts["third"],
    "focal, cutmix, EMA": parts["fourth"],
    "background, stride (1, 2), GeM, waves": parts["first"],
}
scores = {}
for name, part in tricks.items():
    fitted = clone(part).fit(train, y_train)
    scores[name] = roc_auc_score(y_test, fitted.predict_proba(test)[:, 1])
    print(f"{name:40s} AUC {scores[name]:.2f}")

fig, ax = plt.subplots(figsize=(8, 3), layout="constrained")
bars = ax.barh(list(scores), list(scores.values()))
ax.bar_label(bars, fmt="%.2f", padding=3)
ax.axvline(0.5, color="grey", linestyle="--")
ax.set(xlim=(0.3, 1.05), xlabel="area under the ROC curve (chance 0.5)")
ax.invert_yaxis()
plt.show()

# %%
# The recipe
# ----------
# All of them together, with the report's stack by gradient boosting, and the 5th
# place's nets, which SHOT moves to the test cadences and which then learn from the
# labels that they give to these.

fitted = recipe.fit(train, y_train)
proba = fitted.predict_proba(test)[:, 1]
print(f"seti, small: AUC {roc_auc_score(y_test, proba):.2f}")

fig, ax = plt.subplots(figsize=(5, 5), layout="constrained")
RocCurveDisplay.from_predictions(
    y_test, proba, ax=ax, name="seti, small", plot_chance_level=True
)
ax.set(title="needles found, on simulated cadences")
plt.show()

folder.cleanup()
