"""
Several views in one net: the 6th place
=======================================

The 6th place gave one net four views of a window, each to a vision transformer of its
own: the host's spectrogram of ten minutes, a spectrogram of the EEG, and the samples of
50 s and of 10 s as images. Their features stand side by side under one head, and each
branch learns the votes with a head of its own too. At prediction the ten seconds are
moved by two seconds either way.
"""

# %%
# The recipe
# ----------

import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GroupShuffleSplit

from hmsklearn.datasets import load_hms, make_hms
from hmsklearn.metrics import kl_divergence
from hmsklearn.neural import MultiViewClassifier
from hmsklearn.recipes import make_recipe
from hmsklearn.votes import CLASSES, check_votes


def pipelines(recipe):
    """List the pipelines of a recipe that end in a net of several views."""
    return [
        part
        for part in recipe.get_params(deep=True).values()
        if hasattr(part, "steps") and isinstance(part[-1], MultiViewClassifier)
    ]


recipe = make_recipe("hms_6th", "full")
print(len(pipelines(recipe)), "configurations; the first one's branches:")
for name, branch in pipelines(recipe)[0][-1].branches:
    print(f"  {name}: {branch.backbone}")

# %%
# The four views of one window
# ----------------------------

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
pipe = pipelines(recipe)[0]
X = clone(pipe[:-1]).fit_transform(train.data[:1])
views = {}
for name, branch in pipe[-1].branches:
    view = (pipe[-1].views or {}).get(name, name)
    image = X[view] if hasattr(X, "keys") else X
    if branch.frontend is not None:
        image = clone(branch.frontend).fit_transform(image)
    views[name] = np.asarray(image)[0, 0]
    print(f"{name}: {views[name].shape[0]} x {views[name].shape[1]}")

# %%
# A small one, on held-out patients
# ---------------------------------

split = GroupShuffleSplit(1, test_size=0.25, random_state=0)
fit, score = next(split.split(train.data, groups=train.groups))
small = make_recipe("hms_6th", "small", device="cpu", random_state=0)
small.fit(train.data.iloc[fit], train.target[fit])
proba = small.predict_proba(train.data.iloc[score])
votes = train.target[score]
mean = check_votes(train.target[fit]).fractions.mean(axis=0, keepdims=True)
print(f"KL {kl_divergence(votes, proba):.3f},", end=" ")
print(f"class mean {kl_divergence(votes, np.repeat(mean, len(votes), axis=0)):.3f}")

# %%
# The views, and what the small net says of one held-out window beside its votes. After
# two epochs it knows little more than how frequent the classes are.

figure, axes = plt.subplots(1, 5, figsize=(17, 3.6), layout="constrained")
for ax, (name, image) in zip(axes, views.items(), strict=False):
    low, high = np.nanquantile(image, [0.02, 0.98])
    ax.imshow(image, aspect="auto", cmap="magma", vmin=low, vmax=high)
    ax.set_title(name, fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])
places = np.arange(len(CLASSES))
axes[-1].barh(places - 0.2, check_votes(votes[:1]).fractions[0], 0.4, label="votes")
axes[-1].barh(places + 0.2, proba[0], 0.4, label="predicted")
axes[-1].set_yticks(places, CLASSES)
axes[-1].invert_yaxis()
axes[-1].legend(fontsize=8)
axes[-1].set_title("a held-out window", fontsize=10)
plt.show()

folder.cleanup()
