"""
Where to start: the consensus
=============================

Ten winning systems disagree in much and share a few decisions. ``consensus`` is made of
those: sixteen bipolar derivations from 0.5 to 20 Hz, the signal as an image and as mel
spectra of 50 s and 10 s, all windows first and those of many votes last, mirrored
heads, and a blend found over folds of patients. This page trains it at the small scale
on simulated recordings.
"""

# %%
# The recipes
# -----------
# A table tells which systems there are, with their published scores.

import tempfile

import matplotlib.pyplot as plt
import numpy as np

from hmsklearn.datasets import load_hms, make_hms
from hmsklearn.metrics import kl_divergence
from hmsklearn.plotting import KLBarDisplay, SpectrogramDisplay
from hmsklearn.recipes import list_recipes, make_recipe
from hmsklearn.votes import CLASSES, check_votes

print(list_recipes()[["rank", "nets", "public", "private"]].to_string())

# %%
# Some recordings
# ---------------
# The folder is simulated, in the layout of the competition. Give ``load_hms`` the real
# one instead.

folder = tempfile.TemporaryDirectory()
root = make_hms(
    folder.name + "/hms",
    36,
    records_per_patient=1,
    windows_per_record=(1, 2),
    n_test=3,
    random_state=0,
)
train, test = load_hms(root), load_hms(root, "test")
print(len(train.data), "windows of", np.unique(train.groups).size, "patients")

# %%
# Building, changing, fitting
# ---------------------------
# A recipe is an estimator like any other. Rows of ``train.csv`` go in, with votes; the
# patients are found in the rows.

stack = make_recipe("consensus", "small", device="cpu", random_state=0)
stack.fit(train.data, train.target)
for name, weight in zip(stack.member_kl_, stack.weights_, strict=True):
    print(f"{name:7s} KL {stack.member_kl_[name]:.3f}  weight {weight:.2f}")
print(f"stack   KL {stack.kl_:.3f} (cross-fitted)")

# %%
# What a member sees
# ------------------
# The steps of a member up to its net make signals; its frontend makes the image that
# the net sees, here the mel spectra of one window.

member = stack.named_estimators_["mel"].estimator_
image = member[-1].frontend.fit_transform(member[:-1].transform(train.data[:1]))
display = SpectrogramDisplay(image[0], plane_names=["50 s | 10 s, 16 derivations"])
display.plot(title="what the second member sees")
plt.show()

# %%
# Against saying the same of every window
# ---------------------------------------
# The divergence of the stack and of its members, out of fold, beside two baselines.

fractions = check_votes(train.target).fractions
uniform = np.full_like(fractions, 1 / len(CLASSES))
mean = np.tile(fractions.mean(axis=0), (len(fractions), 1))
scores = {
    "uniform": kl_divergence(train.target, uniform),
    "class mean": kl_divergence(train.target, mean),
    **stack.member_kl_,
    "stack": stack.kl_,
}
KLBarDisplay(scores, baselines=["uniform", "class mean"], highlight=["stack"]).plot(
    title="consensus, small, on simulated recordings"
)
plt.show()

folder.cleanup()
