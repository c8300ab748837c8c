"""Building a recipe, with what the caller wants to be different."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator, clone

from hmsklearn.recipes._overrides import override
from hmsklearn.recipes._pretrained import give_weights
from hmsklearn.recipes._registry import find_recipe
from hmsklearn.recipes._scale import Scale

__all__ = ["make_recipe"]


def make_recipe(
    name: str,
    scale: str = "full",
    *,
    random_state: int | None = 0,
    pretrained: Any = False,
    **overrides: Any,
) -> BaseEstimator:
    """Build a published system as one unfitted estimator.

    Parameters
    ----------
    name : str
        One of :func:`list_recipes`.
    scale : {"full", "small"}, default="full"
        ``"full"`` has the published sizes. ``"small"`` keeps every stage and trick, and
        shrinks nets, images and epochs until it fits on 60 recordings in about a
        minute on two cores.
    random_state : int or None, default=0
        First seed; every net has one of its own, counted on from it.
    pretrained : bool, str or path, default=False
        Weights that nets start from. False draws them at random. True takes timm's for
        every backbone of timm, from its cache or by download. A folder is searched for
        ``<backbone>.safetensors`` (``.pt``, ``.pth``): for offline use.
    **overrides : dict
        Parameters that shall differ. ``member__net__lr=1e-4`` sets one parameter as
        ``set_params`` does. A name without ``__`` sets it in every part of the recipe
        that has a parameter of that name, such as ``device="cuda"``, ``root="hms"``
        or ``batch_size=8``. Some recipes have options of their own, which their
        functions describe: ``experiment`` of ``"cranjis_mcb"``.

    Returns
    -------
    estimator
        Takes rows of ``train.csv`` (``seti``: of ``train_labels.csv``) and votes
        (labels) in ``fit``, rows of ``test.csv`` in ``predict_proba``.

    Raises
    ------
    ValueError
        For an unknown recipe, scale or parameter, and where stages of a net decide
        what is overridden.
    FileNotFoundError
        If the folder of `pretrained` lacks the weights of a backbone.

    See Also
    --------
    list_recipes : The recipes with their published scores.

    Notes
    -----
    A recipe is what its file in ``hmsklearn/recipes`` says, built of public parts:
    read it, copy it, change it. Patients (``groups``) are taken from the column
    ``patient_id`` of the rows and may be given to ``fit`` instead. Recipes at full
    scale are meant for a GPU.

    References
    ----------
    Kaggle, HMS - Harmful Brain Activity Classification; the discussion of each
    solution is in the column ``source`` of :func:`list_recipes`.

    Examples
    --------
    >>> from hmsklearn.recipes import make_recipe
    >>> stack = make_recipe("hms_7th", "small", random_state=3, device="cpu")
    >>> [member for member, _ in stack.estimators]
    ['raw', 'stft', 'multitaper']
    """
    recipe = find_recipe(name)
    options = {key: overrides.pop(key) for key in recipe.options if key in overrides}
    # Recipes may share parts between their members, or with the next call.
    estimator = clone(recipe.builder(Scale(scale, random_state), **options))
    give_weights(estimator, pretrained)
    override(estimator, overrides, name)
    return estimator
