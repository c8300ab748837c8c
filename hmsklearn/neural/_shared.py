"""Parameters that all neural classifiers share: written once, seen everywhere.

scikit-learn, notebooks and the documentation read the parameters of an estimator from
the signature of its ``__init__``. A subclass names its own and takes the shared ones as
``**shared``; what is read then is the two together.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import re
from typing import Any

__all__ = ["SHARED_ATTRIBUTES", "SHARED_PARAMETERS", "share_parameters"]

_MARK = "%(shared_parameters)s"
_ATTRIBUTES_MARK = "%(shared_attributes)s"

#: Their section of learned attributes.
SHARED_ATTRIBUTES = """\
best_epoch_ : int, float or None
    Epoch whose weights were taken, with early stopping; a part of an epoch where it
    is validated several times.
history_ : DataFrame
    For every epoch ``stage``, ``epoch``, ``train_loss`` (weighted), ``valid_kl`` (KL as
    the competition counts it, NaN without validation), ``lr`` and ``duration`` in
    seconds.
evaluations_ : DataFrame
    For every validation ``epoch``, with the part of it that had passed, and
    ``valid_kl``.
loss_ : torch.nn.Module or None
    Loss of the last stage, on the CPU, with what it has learned, such as the
    ``log_concentration`` of "dirichlet_multinomial"; None where it has no parameters.
"""

#: Their section of a class docstring.
SHARED_PARAMETERS = """\
classes : "hms", "infer" or sequence of labels, default="hms"
    Labels in column order: the six patterns, those found in `y`, or a list.
frontend : transformer or Pipeline, default=None
    Steps that run batch by batch on the device, between the augmentations of the
    signal and the net: any transformers of this package that learn nothing. See
    :func:`hmsklearn.neural.fuse`.
input_norm : {"global", "window"} or None, default="global"
    Subtract mean and divide by standard deviation: one number each, learned from
    the training windows; those of each window; or not at all.
head : dict, default=None
    Parameters of :class:`hmsklearn.nets.layers.VoteHead`, for instance
    ``{"drop_rate": 0.5, "n_samples": 5}`` or ``{"vote_threshold": 10}``. A linear
    layer by default.
weights : None, "pretrained", path or fitted estimator, default=None
    Weights to start from. None draws them at random and never uses the network. A
    ``.pt``, ``.pth`` or ``.safetensors`` file holds a state dict (also inside a
    training checkpoint); a folder holds such a file. A fitted estimator of the same
    architecture hands on its own, wrapped in
    :class:`sklearn.frozen.FrozenEstimator` where scikit-learn will clone this
    one. ``"pretrained"`` takes timm's, from its cache or by download. The first
    convolution is adapted to the number of planes, and a head for another number
    of classes is replaced.
loss : {"kl", "bce", "focal", "dirichlet_multinomial"} or torch module, default="kl"
    What training minimises. Validation is always the competition's KL.
loss_params : dict, default=None
    Parameters of the loss, for instance ``{"gamma": 2.0}``.
aux_weight : float or dict of str to float, default=1.0
    Weight of the losses of auxiliary heads, where the net has any, by name or for all:
    ``(main + sum(w * aux)) / (1 + sum(w))``.
max_epochs : int, default=10
    Number of passes over the training windows.
batch_size : int, default=32
    Number of windows in a batch, in training and prediction.
accumulate : int, default=1
    Number of batches whose gradients make one step of the optimizer.
optimizer : str or torch optimizer class, default="adamw"
    ``"adamw"``, ``"adam"``, ``"sgd"``, ``"adan"``, ``"madgrad"`` or any other name
    that ``timm.optim.list_optimizers`` knows.
optimizer_params : dict, default=None
    Further parameters of the optimizer, for instance ``{"eps": 1e-4}``.
lr : float, default=1e-3
    Highest learning rate.
backbone_lr : float or dict of str to float, default=None
    Highest learning rate of everything but the head; or of parts of the net by name,
    as ``freeze`` takes names: ``{"neck": 5e-5, "backbone": 5e-4}``, where
    ``"backbone"`` is then what has no rate of its own.
layer_decay : float, default=None
    Factor by which the rate falls from each layer group to the one before it.
weight_decay : float, default=1e-2
    Weight decay, on kernels and matrices alone.
schedule : str, callable or list of float, default="cosine"
    How the learning rate goes on after the warm-up, step by step: ``"cosine"``,
    ``"constant"``, ``"linear"`` or ``"one_cycle"``; a function of the number of the
    batch, from 0, and of all batches of the stage, that gives a factor between 0 and
    1; or the rates of the epochs, one after the other.
warmup : float or int, default=0.0
    Share of all steps (below 1), or number of epochs, in which the rate rises.
min_lr : float, default=0.0
    Rate at the end of the schedule.
clip_grad : float, default=None
    Largest norm of the gradient of a step.
awp : dict, default=None
    Adversarial weight perturbation: every step goes through its batches a second time,
    with the weights moved to where the loss is higher, and learns from that. ``lr`` is
    how far, as a share of the norm of each layer's weights, ``eps`` the most for a
    single weight, as a share of its size (both 0.01 by default), ``start`` what is
    trained without: a share of all steps (below 1) or a number of epochs.
ema : float or dict, default=None
    Decay, per step, of a running mean of the weights, or ``{"decay": 0.8, "per":
    "epoch"}``. Validation and predictions use the mean.
vote_weight : {"linear", "log"}, callable or None, default=None
    Weight of a window by its number of votes: in proportion, ``log(votes + 1)``, a
    function of the array of totals, or an object such as
    :class:`hmsklearn.neural.DecayingVoteWeight`, whose weights change over the epochs.
    Only relations matter. Needs counts.
sampling : str or callable, default=None
    Which windows an epoch takes: all of them, or ``"eeg"``, one of each EEG drawn
    at random; ``"eeg_by_votes"``, likelier with more votes; ``"period"``, one of each
    run of windows of an EEG with the same votes, ``"pattern"``, of each set of them;
    ``"votes"``, drawn in proportion to their votes; ``"class"``, every class equally
    often, ``"top_class"``, by the class with most votes. The ones by EEG need `eeg_id`
    in ``fit``.
target : {"window", "eeg", "eeg_votes"}, default="window"
    What a window learns: its own votes; the mean of the fractions of all windows of
    its EEG; or the fractions of their votes, summed.
augment : list of augmentations, default=None
    What training does to its batches: augmentations, their names, or pairs of a name
    and a dict of parameters, see :mod:`hmsklearn.augmentation`. With ``WindowJitter``
    predictions use the middle of the window.
stages : list of dict, default=None
    A curriculum: each stage is a dict of parameters that differ in it, such as
    ``max_epochs`` and ``lr``, and of which windows it takes (``min_votes``,
    ``max_votes``, ``rows``), what it leaves alone (``freeze``) and which weights it
    starts from (``start``). See the user guide.
grad_checkpointing : bool, default=False
    Whether to compute activations again in the backward pass instead of storing them:
    less memory, a third more time.
compile : bool, default=False
    Whether to train the net through ``torch.compile``.
early_stopping : bool, default=False
    Whether to validate after every epoch, stop when it no longer improves, and
    return to the best epoch's weights.
validation_fraction : float, default=0.1
    Share of the groups (of the windows without groups) to validate on when
    `early_stopping` is on and ``fit`` gets no `X_val`.
validation_min_votes : float, default=None
    Validate only on windows with at least so many votes.
patience : int, default=5
    Number of epochs without improvement after which training stops.
evaluations_per_epoch : int, default=1
    How often an epoch is validated, evenly spaced.
warm_start : bool, default=False
    Whether ``fit`` goes on from the weights of the fit before.
checkpoint : str or path, default=None
    Folder for the state of the training, written after epochs, so that it can go on
    after a crash. Needs a whole number as `random_state`.
checkpoint_every : int, default=1
    Number of epochs from one writing to the next.
resume : bool, default=False
    Whether to go on from what the folder holds of this very training (same
    parameters, same data), to the same result.
distributed : bool, default=False
    Whether to share every batch among the processes that ``accelerate launch`` or
    ``torchrun`` started. Needs the extra ``distributed``.
amp : {"auto", "bf16", "fp16"} or None, default="auto"
    Mixed precision of the training on a CUDA device.
engine : {"torch", "onnx"}, default="torch"
    What predicts on a CPU: torch, or ONNX Runtime, which is faster for most nets and
    needs the extra ``onnx``.
device : str, default="auto"
    ``"auto"`` (GPU if there is one; in workers of joblib a GPU each), ``"cpu"``,
    ``"cuda"``, ``"cuda:1"``.
callbacks : list of skorch callbacks, optional
    Used as they are, so that what they record can be read after ``fit``; a saved
    estimator carries them without it.
random_state : int, RandomState instance or None, default=None
    Seed of initial weights, order of batches, augmentations, dropout and validation
    split.
verbose : int, default=0
    1 shows a progress bar with training loss and validation KL, 2 one for the batches
    of an epoch too.
"""


def share_parameters(cls: type, base: type) -> None:
    """Give a subclass the signature and docstring of its own and shared parameters.

    Parameters
    ----------
    cls : type
        The subclass. If its ``__init__`` takes ``**shared``, that is replaced in the
        signature by the keyword parameters of `base`; the mark in its docstring by
        their description.
    base : type
        The class that stores the shared parameters.

    Examples
    --------
    >>> class Base:
    ...     def __init__(self, *, lr=0.1):
    ...         self.lr = lr
    >>> class Net(Base):
    ...     def __init__(self, name="net", **shared):
    ...         super().__init__(**shared)
    ...         self.name = name
    >>> share_parameters(Net, Base)
    >>> str(inspect.signature(Net))
    "(name='net', *, lr=0.1)"
    >>> Net(nme="x")
    Traceback (most recent call last):
        ...
    TypeError: Net has no parameter 'nme'. Did you mean name?
    """
    init = cls.__dict__.get("__init__")
    if init is not None:
        own = list(inspect.signature(init).parameters.values())
        if own and own[-1].kind is inspect.Parameter.VAR_KEYWORD:
            _merge(cls, init, own[:-1], base)
    for mark, text in (
        (_MARK, SHARED_PARAMETERS),
        (_ATTRIBUTES_MARK, SHARED_ATTRIBUTES),
    ):
        if cls.__doc__ and mark in cls.__doc__:
            left_out = getattr(cls, "_not_shared", ())
            lines = _without(text, left_out).rstrip("\n").split("\n")
            margin = cls.__doc__.split(mark)[0].rsplit("\n", 1)[-1]
            cls.__doc__ = cls.__doc__.replace(mark, ("\n" + margin).join(lines))


def _without(text: str, names: tuple[str, ...]) -> str:
    """Leave some parameters out of their description."""
    for name in names:
        text = re.sub(rf"^{name} : .*\n(?: .*\n)*", "", text, flags=re.MULTILINE)
    return text


def _merge(cls: type, init: Any, own: list[inspect.Parameter], base: type) -> None:
    names = {parameter.name for parameter in own}
    shared = [
        parameter
        for parameter in inspect.signature(base.__init__).parameters.values()  # type: ignore[misc]
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
        and parameter.name not in names
        and parameter.name not in getattr(cls, "_not_shared", ())
    ]
    merged = [*own, *shared]
    known = [parameter.name for parameter in merged]

    @functools.wraps(init)
    def checked(self: Any, *args: Any, **kwargs: Any) -> None:
        for name in kwargs:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=2)
                hint = f" Did you mean {' or '.join(close)}?" if close else ""
                raise TypeError(f"{cls.__name__} has no parameter {name!r}.{hint}")
        init(self, *args, **kwargs)

    checked.__signature__ = inspect.Signature(merged)  # type: ignore[attr-defined]
    cls.__init__ = checked  # type: ignore[misc]
