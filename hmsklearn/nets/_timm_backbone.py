"""Models of timm without their classifier, built with random weights."""

from __future__ import annotations

import difflib
from typing import Any

import timm
from timm.layers import PatchEmbed
from timm.models.maxxvit import MaxxVit
from torch import nn

from hmsklearn._params import check_real

__all__ = ["build_backbone", "check_image_size", "remove_classifier", "remove_pooling"]

_OWN = {"in_chans", "num_classes", "pretrained", "drop_rate", "drop_path_rate"}


def build_backbone(
    name: str,
    n_chans: int,
    input_size: tuple[int, ...],
    *,
    drop_rate: float = 0.0,
    drop_path_rate: float = 0.0,
    params: dict[str, Any] | None = None,
) -> Any:
    """Build a model of timm that gives one number.

    Parameters
    ----------
    name : str
        Name of the model.
    n_chans : int
        Number of planes.
    input_size : tuple of int
        Height and width.
    drop_rate, drop_path_rate : float, default=0.0
        Dropout in front of the classifier and stochastic depth.
    params : dict, optional
        Further parameters of ``timm.create_model``.

    Returns
    -------
    torch.nn.Module
        The model. The network is never used.

    Raises
    ------
    ValueError
        If there is no such model or it does not take the sizes or parameters.

    Examples
    --------
    >>> build_backbone("test_vit", 1, (32, 48)).num_features
    64
    """
    _check_name(name)
    extra = dict(params or {})
    if _OWN & set(extra):
        raise ValueError(
            f"TimmNet: backbone_params must not hold {sorted(_OWN & set(extra))}; the "
            "net sets them from its sizes and its own parameters."
        )
    if len(input_size) != 2:
        raise ValueError(
            f"TimmNet: input_size={input_size} must be height and width of the images."
        )
    for key, rate in (("drop_rate", drop_rate), ("drop_path_rate", drop_path_rate)):
        if check_real(rate, key, caller="TimmNet", low=0, high=1, high_open=True):
            extra[key] = rate  # not every model knows both
    config = timm.models.get_pretrained_cfg(name)
    if config is not None and config.fixed_input_size:
        # Transformers with position embeddings are built for one image size.
        extra.setdefault("img_size", input_size)
    try:
        return timm.create_model(
            name, pretrained=False, in_chans=n_chans, num_classes=1, **extra
        )
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"TimmNet: {name!r} cannot be built for images of input_size={input_size} "
            f"with {extra}: {error}. Give sizes and parameters that this backbone "
            "takes."
        ) from error


def remove_classifier(model: Any, name: str) -> int:
    """Replace the last linear layer of a model by the identity.

    Parameters
    ----------
    model : torch.nn.Module
        Model of timm, changed in place.
    name : str
        Its name, for messages.

    Returns
    -------
    int
        Number of features that the layer took.

    Raises
    ------
    ValueError
        If timm names no such layer, or several of different widths.

    Notes
    -----
    ``num_classes=0`` is not the same: some models (CAFormer) then lose the hidden
    layers of their head as well.

    Examples
    --------
    >>> model = timm.create_model("test_efficientnet", num_classes=1)
    >>> remove_classifier(model, "test_efficientnet")
    256
    """
    paths = _classifier_paths(model)
    widths = set()
    for path in paths:
        try:
            layer = model.get_submodule(path)
        except AttributeError:
            layer = None
        if isinstance(layer, nn.Linear):
            widths.add(layer.in_features)
        elif isinstance(layer, nn.Conv2d):
            widths.add(layer.in_channels)
        else:
            widths.add(0)
    if len(widths) != 1 or 0 in widths:
        raise ValueError(
            f"TimmNet: {name!r} has no last linear layer that could be replaced (timm "
            f"names {model.pretrained_cfg.get('classifier')!r}). Take another backbone."
        )
    for path in paths:
        parent, _, last = path.rpartition(".")
        setattr(model.get_submodule(parent), last, nn.Identity())
    return widths.pop()


def remove_pooling(model: Any, name: str) -> tuple[bool, int]:
    """Take pooling and classifier out of the head of a model.

    Parameters
    ----------
    model : torch.nn.Module
        Model of timm, changed in place.
    name : str
        Its name, for messages.

    Returns
    -------
    uses_head : bool
        Whether what is left of the head (norms, convolutions) runs on maps. Otherwise
        it is gone: hidden layers that need pooled features (EfficientViT,
        InceptionNeXt), heads of several tokens (distilled models).
    n_features : int
        Number of maps.

    Raises
    ------
    ValueError
        If the head is not known.

    Examples
    --------
    >>> model = timm.create_model("test_efficientnet", num_classes=1)
    >>> remove_pooling(model, "test_efficientnet")
    (True, 256)
    """
    paths = _classifier_paths(model)
    try:
        model.reset_classifier(0, global_pool="")
        # Distilled models read their two tokens whatever the pooling is.
        uses_head = len(paths) == 1
    except AssertionError:
        uses_head = False
    except (AttributeError, TypeError) as error:
        raise ValueError(
            f"TimmNet: the pooling of {name!r} cannot be taken out: {error}. Leave "
            "pool None or take another backbone."
        ) from error
    if uses_head:
        return True, model.head_hidden_size
    for path in paths:
        setattr(model, path.partition(".")[0], nn.Identity())
    return False, model.num_features


def check_image_size(model: Any, name: str, input_size: tuple[int, ...]) -> None:
    """Refuse images that patches or windows do not fill.

    Parameters
    ----------
    model : torch.nn.Module
        Model of timm.
    name : str
        Its name, for messages.
    input_size : tuple of int
        Height and width.

    Raises
    ------
    ValueError
        If they are no multiples of the patches (vision transformers, Swin) or of the
        last map (MaxViT), which timm says in the first forward pass alone.

    Examples
    --------
    >>> model = build_backbone("test_vit", 1, (32, 48))
    >>> check_image_size(model, "test_vit", (32, 48))
    """
    fixed = model.pretrained_cfg.get("fixed_input_size")
    reduction = int(model.feature_info[-1]["reduction"])
    embed = getattr(model, "patch_embed", None)
    if isinstance(embed, PatchEmbed) and not embed.dynamic_img_pad:
        step = tuple(embed.patch_size)
    elif fixed and isinstance(model, MaxxVit):
        step = (reduction, reduction)
    else:
        return
    if any(size % n for size, n in zip(input_size, step, strict=True)):
        raise ValueError(
            f"TimmNet: images of input_size={input_size} are no multiples of {step}, "
            f"which {name!r} asks for. Resize or pad the images, or take another "
            "backbone."
        )


def _classifier_paths(model: Any) -> tuple[str, ...]:
    paths = model.pretrained_cfg.get("classifier")
    return (paths,) if isinstance(paths, str) else tuple(paths or ())


def _check_name(name: object) -> None:
    if not isinstance(name, str) or ":" in name or "/" in name:
        raise ValueError(
            f"TimmNet: backbone={name!r} must be the name of a model of timm, not a "
            "place to load it from."
        )
    if not timm.is_model(name):
        known = timm.list_models()
        close = difflib.get_close_matches(name.split(".")[0], known, n=3)
        hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
        raise ValueError(
            f"TimmNet: timm has no model {name!r}. {hint}timm.list_models() lists the "
            f"{len(known)} that it has."
        )
