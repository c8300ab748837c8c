"""Published systems, each built of the public parts as one estimator.

One file is one system: its images, nets, stages, augmentations and blend with their
published numbers. :func:`list_recipes` tells which there are, :func:`make_recipe`
builds one.
"""

from importlib import import_module

from hmsklearn.recipes._make import make_recipe
from hmsklearn.recipes._registry import list_recipes, register_recipe
from hmsklearn.recipes._scale import Scale

__all__ = ["Scale", "list_recipes", "make_recipe", "register_recipe"]

# A file registers its recipe when it is imported; a new recipe is one line here.
_FILES = (
    "consensus",
    "hms_1st",
    "cranjis_mcb",
    "eight_models",
    "hms_10th",
    "hms_2nd",
    "hms_3rd",
    "hms_4th",
    "hms_5th",
    "hms_6th",
    "hms_7th",
    "hms_8th",
    "hms_9th",
    "mkanna",
    "seti",
)
for _file in _FILES:
    import_module(f"hmsklearn.recipes.{_file}")
