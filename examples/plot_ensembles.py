"""
Ensembles of images: the 7th place
==================================

Most winning systems average nets that look at a window in different ways. The 7th place
drew it three times, from its samples, as a short-time Fourier transform and as
multitaper spectra, and averaged the three with weights .2, .65 and .15.
"""

# %%
# One recipe, three families of members
# -------------------------------------

import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GroupShuffleSplit

from hmsklearn.datasets import load_hms, make_hms
from hmsklearn.metrics import kl_divergence
from hmsklearn.recipes import make_recipe

recipe = make_recipe("hms_7th", "small", device="cpu", random_state=0)
for name, family in recipe.estimators:
    print(name, [member for member, _ in family.estimators])

# %%
# What they see
# -------------
# The full recipe makes larger images and no other ones: this is one simulated window on
# the canvases of the published sizes.

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
full = make_recipe("hms_7th", "full").get_params()
images = {}
for name, path in {
    "raw, 50 s": "raw__convnext_50",
    "STFT, 50 s | 30 s | 10 s": "stft__convnext_50_30_10",
    "multitaper, 50 s": "multitaper__convnext_50",
}.items():
    steps = full[path].estimator[:-1]
    images[name] = steps.fit_transform(train.data[:1])[0, 0]
    print(f"{name}: {images[name].shape[0]} x {images[name].shape[1]}")

# %%
# Held-out patients
# -----------------
# The members are trained on three quarters of the patients, in two stages: all windows,
# then those of ten votes and more.

split = GroupShuffleSplit(1, test_size=0.25, random_state=0)
fit, score = next(split.split(train.data, groups=train.groups))
recipe.fit(train.data.iloc[fit], train.target[fit])
rows, votes = train.data.iloc[score], train.target[score]
kl = {
    name: kl_divergence(votes, family.predict_proba(rows))
    for name, family in recipe.named_estimators_.items()
}
kl["average"] = kl_divergence(votes, recipe.predict_proba(rows))
for name, value in kl.items():
    print(f"{name:10s} KL {value:.3f}")

# %%
# The images, and the divergence on patients who were held out. Nets of this size and
# two epochs are there to show how the parts fit together, not which kind is best.

figure, axes = plt.subplots(1, 4, figsize=(15, 4), layout="constrained")
for ax, (title, image) in zip(axes, images.items(), strict=False):
    low, high = np.quantile(image, [0.02, 0.98])
    ax.imshow(image, aspect="auto", cmap="magma", vmin=low, vmax=high)
    ax.set_title(title, fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])
axes[-1].barh(list(kl), list(kl.values()), color=["#0072b2"] * 3 + ["#d55e00"])
axes[-1].invert_yaxis()
axes[-1].set_xlabel("KL divergence (nat, lower is better)")
axes[-1].set_title("held-out patients", fontsize=10)
plt.show()

folder.cleanup()
