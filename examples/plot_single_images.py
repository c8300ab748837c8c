"""
Single images: one picture of a window
======================================

Some systems put all they know of a window into one picture and train one net on it.
This page shows four of them for the same window: panels of the host's spectrogram with
statistics (Cranjis-McB), scalograms (Mkanna), mel spectra with percentiles
(Cranjis-McB), and the composed image of the 10th place.
"""

# %%
# The recipes
# -----------
# The experiments of a series are options of one recipe.

import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GroupShuffleSplit

from hmsklearn.datasets import load_hms, make_hms
from hmsklearn.metrics import kl_divergence
from hmsklearn.recipes import make_recipe

SYSTEMS = {
    "panels and statistics": ("cranjis_mcb", {"experiment": "input_ensemble"}),
    "mel and percentiles": ("cranjis_mcb", {"experiment": "eeg_percentiles"}),
    "scalograms": ("mkanna", {}),
    "one image for all": ("hms_10th", {}),
}


def one_pipeline(recipe):
    """Take the first member of a stack."""
    return recipe.estimators[0][1] if hasattr(recipe, "estimators") else recipe


# %%
# The images
# ----------
# A pipeline up to its net, and the frontend of the net, at the published sizes.

folder = tempfile.TemporaryDirectory()
root = make_hms(
    folder.name + "/hms",
    30,
    records_per_patient=1,
    windows_per_record=(1, 2),
    n_test=1,
    random_state=0,
)
train = load_hms(root)
images = {}
for title, (name, options) in SYSTEMS.items():
    pipe = one_pipeline(make_recipe(name, "full", **options))
    X = clone(pipe[:-1]).fit_transform(train.data[:1])
    planes = clone(pipe[-1].frontend).fit_transform(X)[0]
    images[title] = np.vstack(planes)
    print(f"{title}: {planes.shape[0]} planes, {planes.shape[1]} x {planes.shape[2]}")

# %%
# Training each on the same patients
# ----------------------------------

split = GroupShuffleSplit(1, test_size=0.25, random_state=0)
fit, score = next(split.split(train.data, groups=train.groups))
votes = train.target[score]
kl = {}
for title, (name, options) in SYSTEMS.items():
    small = one_pipeline(make_recipe(name, "small", device="cpu", **options))
    small.fit(train.data.iloc[fit], train.target[fit])
    kl[title] = kl_divergence(votes, small.predict_proba(train.data.iloc[score]))
    print(f"{title}: KL {kl[title]:.3f} on held-out patients")

# %%
# The same window four times, low frequencies on top, and how the small nets did: with
# a few seconds of training each they have hardly begun to learn.

figure, axes = plt.subplots(1, 4, figsize=(15, 4.5), layout="constrained")
for ax, (title, image) in zip(axes, images.items(), strict=True):
    low, high = np.nanquantile(image, [0.02, 0.98])
    ax.imshow(image, aspect="auto", cmap="magma", vmin=low, vmax=high)
    ax.set_title(f"{title}\nKL {kl[title]:.2f}", fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])
figure.suptitle("one window in four systems; small nets, held-out patients")
plt.show()

folder.cleanup()
