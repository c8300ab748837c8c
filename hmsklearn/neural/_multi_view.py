"""The classifier of several views: a branch for each, and what joins them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sklearn.frozen import FrozenEstimator
from torch import nn

from hmsklearn._compat import BaseComposition, VisualBlock
from hmsklearn._params import check_choice
from hmsklearn.nets import build_multi_view
from hmsklearn.neural._base import BaseNeuralClassifier
from hmsklearn.neural._data import check_batchable
from hmsklearn.neural._frontend import Frontend
from hmsklearn.neural._net import VoteNet
from hmsklearn.neural._plan import find_jitter
from hmsklearn.neural._prepare import FitData
from hmsklearn.neural._view_frontend import ViewFrontend
from hmsklearn.neural._view_pretraining import branches_to_pretrain, train_alone
from hmsklearn.neural._weight_timm import find_timm_nets
from hmsklearn.neural._weights import copy_statistics, fitted_source, load_weights
from hmsklearn.views import WindowViews

__all__ = ["MultiViewClassifier"]


class MultiViewClassifier(BaseNeuralClassifier, BaseComposition):
    """Train a net with a branch for each view of a window on the votes about it.

    Parameters
    ----------
    branches : list of (str, estimator)
        The branches by name. Each is a neural classifier of this package that says
        which net it is, what stands in front of it (``frontend``, ``input_norm``) and
        which weights it starts from (``weights``); how it would train plays a part
        with `pretrain` alone. A fitted one, wrapped in
        :class:`sklearn.frozen.FrozenEstimator` where scikit-learn will clone this
        estimator, hands on what it has learned; without, a clone's branch starts at
        random, and cloning warns. Their parameters are reached as ``name__parameter``.
    views : dict of str to str, optional
        Which view of `X` a branch looks at; the one of its own name by default. Two
        branches may look at one.
    fusion : {"concat", "attention"}, default="concat"
        How features become one vector: side by side; or projected to a common width
        and averaged, with weights by attention.
    fusion_width : int, default=512
        The common width.
    aux : bool, default=True
        Whether each branch has a linear head of its own in training, which learns the
        same votes; see `aux_weight`.
    contrastive : pair of str, optional
        Two branches whose features of one window are drawn together and those of
        different windows apart, also of one EEG: set ``sampling="eeg"``, so that those
        do not meet in a batch.
    temperature : float, default=0.07
        Temperature of that loss.
    contrastive_width : int, default=128
        Width of the space in which it compares.
    contrastive_weight : float, default=0.1
        Its weight.
    nan_loss : sequence of str, optional
        Branches that also learn to tell which share of every channel was missing, from
        what their frontends leave of it.
    nan_weight : float, default=0.1
        Weight of that loss.
    frozen : sequence of str, default=()
        Branches that do not learn. Each needs weights to start from.
    pretrain : bool or sequence of str, default=False
        Branches that ``fit`` first trains alone, each on its own view, in the way that
        its own parameters say; the joined training starts from what they have learned.
        True is for all that are not fitted. See Notes.
    %(shared_parameters)s

    Attributes
    ----------
    net_ : skorch.NeuralNet
        The trained net; the torch module is ``net_.module_``.
    classes_ : ndarray of shape (n_classes,)
        Labels in column order.
    device_ : str
        Device that it trained on, or predicts on after loading.
    n_features_in_ : int
        Number of channels and planes of all views.
    input_shape_ : dict of str to tuple of int, or tuple of int
        Shape of one window of each view.
    n_iter_ : int
        Number of epochs that ran.
    pretrained_ : dict of str to DataFrame
        The ``history_`` of every branch that was trained alone.
    %(shared_attributes)s

    Raises
    ------
    ValueError
        In ``fit``, for unusable data or parameters and when training diverges.
    RuntimeError
        In ``fit``, if the device asked for is absent.

    See Also
    --------
    hmsklearn.views.WindowViews : What holds several views of the same windows.
    hmsklearn.imaging.ViewUnion : The transformer that makes them.

    Notes
    -----
    `X` is a :class:`hmsklearn.views.WindowViews` (or a dict of arrays in ``fit`` and
    ``predict_proba`` themselves), or one array that all branches look at, each through
    its frontend. With one array, `frontend` is what it goes through before the
    branches get it. Augmentations before the frontends see the views by their names,
    those behind them see what the branches take, by the names of the branches.

    With `pretrain` a branch is trained as if it was fitted to its view by itself, on
    the same windows, with the same weights, groups, EEGs and windows to validate on.
    Its augmentations see one plain array, behind a shared `frontend` if there is one.
    Windows that early stopping sets aside are set aside for the branches too, which
    validate on the same ones. Classes are those of this estimator. A branch without
    `random_state` gets a seed drawn from that of this estimator; where `device`,
    `amp`, `verbose` and `distributed` are left at their defaults, they follow this
    estimator. Branches are trained in their order, one at a time.

    ``fit`` goes on from the weights of the fit before with ``warm_start=True``, and
    then trains no branch alone, unless a stage starts ``"fresh"``. With `checkpoint`,
    a branch without one of its own has its checkpoints in a folder of its name there,
    and `resume` goes on in the branch that was being trained; those that are done are
    read. ``partial_fit`` does not begin with branches to be trained alone, and says so;
    it goes on from a ``fit`` that has trained them.

    References
    ----------
    2nd place of HMS (discussion 492254): X3D and EfficientNet-B5 side by side. 6th
    (492619): four transformers with auxiliary heads. 8th (492482): three branches that
    were trained alone before. 9th (492429): attention over encoders, a contrastive loss
    between raw signal and spectrogram, and the prediction of NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from hmsklearn.neural import TimmClassifier, WaveformClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(24) % 2
    >>> raw = rng.standard_normal((24, 2, 100)).astype("float32")
    >>> image = rng.standard_normal((24, 1, 32, 32)).astype("float32")
    >>> image[y == 1, :, :16] += 2.0
    >>> small = {"width": 8, "gru_hidden": 0, "n_blocks": 2}
    >>> clf = MultiViewClassifier(
    ...     [("raw", WaveformClassifier(architecture_params=small)),
    ...      ("image", TimmClassifier("test_efficientnet"))],
    ...     classes="infer", max_epochs=6, batch_size=6, lr=5e-3, random_state=0)
    >>> X = WindowViews(raw=raw, image=image)
    >>> clf.fit(X, y).predict(X[:4])
    array([0, 1, 0, 1])
    """

    _channels_last = True
    # The branches say how their own input is normalised.
    _not_shared = ("input_norm",)
    input_norm: Any = None

    def __init__(
        self,
        branches: Sequence[tuple[str, Any]],
        *,
        views: Mapping[str, str] | None = None,
        fusion: str = "concat",
        fusion_width: int = 512,
        aux: bool = True,
        contrastive: Sequence[str] | None = None,
        temperature: float = 0.07,
        contrastive_width: int = 128,
        contrastive_weight: float = 0.1,
        nan_loss: Sequence[str] | None = None,
        nan_weight: float = 0.1,
        frozen: Sequence[str] = (),
        pretrain: bool | Sequence[str] = False,
        **shared: Any,
    ) -> None:
        super().__init__(**shared)
        del self.input_norm  # the base class's, and no parameter here
        self.branches = branches
        self.views = views
        self.fusion = fusion
        self.fusion_width = fusion_width
        self.aux = aux
        self.contrastive = contrastive
        self.temperature = temperature
        self.contrastive_width = contrastive_width
        self.contrastive_weight = contrastive_weight
        self.nan_loss = nan_loss
        self.nan_weight = nan_weight
        self.frozen = frozen
        self.pretrain = pretrain

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, with `deep` those of the branches as well.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the branches by name and their parameters as
            ``name__parameter``.

        Returns
        -------
        dict
            Parameter names and values.
        """
        return self._get_params("branches", deep=deep)

    def set_params(self, **params: Any) -> MultiViewClassifier:
        """Set parameters of the estimator and of its branches.

        Parameters
        ----------
        **params : dict
            Arguments of the constructor, branches by name, or ``name__parameter``.

        Returns
        -------
        self : MultiViewClassifier
            The estimator.
        """
        self._set_params("branches", **params)
        return self

    # -- data -------------------------------------------------------------------

    def _check_X(
        self, X: Any, *, caller: str | None = None, fitted: bool = False
    ) -> Any:
        caller = caller or type(self).__name__
        branches = self._branches()
        if not isinstance(X, Mapping):
            X = check_batchable(
                X, caller=caller, ndim=(3, 4, 5), allow_nan=self._fills(None)
            )
            shape: Any = tuple(X.shape[1:])
        else:
            if self.frontend is not None:
                raise ValueError(
                    f"{caller}: frontend is for one array that all branches look at; "
                    "with several views give each branch its own."
                )
            X = self._needed_views(X, branches, caller)
            shape = {name: tuple(view.shape[1:]) for name, view in X.items()}
        if fitted and shape != self.input_shape_:
            raise ValueError(
                f"{caller}: windows of X have shape {shape}, but {caller} was fitted "
                f"on windows of shape {self.input_shape_}. Give them the same views, "
                "length and preprocessing."
            )
        return X

    def _needed_views(
        self, X: Mapping[str, Any], branches: dict[str, Any], caller: str
    ) -> WindowViews:
        views = self._views_of(branches)
        absent = sorted(set(views.values()) - set(X.keys()))
        if absent:
            raise ValueError(
                f"{caller}: X has the views {list(X.keys())}, but branches look at "
                f"{absent}. Name the branches as the views, or give views="
                "{branch: view}."
            )
        checked = {
            view: check_batchable(
                X[view],
                caller=f"{caller}: view {view!r}",
                ndim=(3, 4, 5),
                allow_nan=self._fills(view),
            )
            for view in dict.fromkeys(views.values())
        }
        return WindowViews(checked)

    def _fills(self, view: str | None) -> bool:
        """Whether every branch of a view has a frontend that may fill NaN."""
        branches = self._branches()
        views = self._views_of(branches)
        return self.frontend is not None or all(
            branch.frontend is not None
            for name, branch in branches.items()
            if view is None or views[name] == view
        )

    def _branches(self) -> dict[str, Any]:
        """Check the branches; return the estimators, unwrapped, by name."""
        caller = type(self).__name__
        pairs = isinstance(self.branches, (list, tuple)) and all(
            isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in self.branches
        )
        if not pairs or not self.branches:
            raise ValueError(
                f"{caller}: branches must be a list of (name, estimator), got "
                f"{self.branches!r}."
            )
        names = [name for name, _ in self.branches]
        self._validate_names(names)
        # What torch refuses as the name of a module.
        taken = [name for name in names if "." in name or hasattr(nn.ModuleDict, name)]
        if taken:
            raise ValueError(
                f"{caller}: {taken[0]!r} cannot be the name of a branch. Give a word "
                "without a dot that torch.nn.ModuleDict has no attribute of, and name "
                "the view that it looks at in views."
            )
        branches = {}
        for name, branch in self.branches:
            if isinstance(branch, FrozenEstimator):
                branch = branch.estimator
            single = isinstance(branch, BaseNeuralClassifier)
            if not single or isinstance(branch, MultiViewClassifier):
                raise TypeError(
                    f"{caller}: branch {name!r} must be a neural classifier of one "
                    f"view, such as TimmClassifier, got {branch!r}."
                )
            branches[name] = branch
        return branches

    def _views_of(self, branches: dict[str, Any]) -> dict[str, str]:
        given = dict(self.views or {})
        unknown = sorted(set(given) - set(branches))
        if unknown:
            raise ValueError(
                f"{type(self).__name__}: views names {unknown}, which are no branches. "
                f"Known are {list(branches)}."
            )
        return {name: given.get(name, name) for name in branches}

    # -- building ---------------------------------------------------------------

    def _make_frontend(self, X: Any) -> nn.Module:
        caller = type(self).__name__
        branches = self._branches()
        jitter = find_jitter(self)
        several = isinstance(X, Mapping)
        views: dict[str, Any] = (
            self._views_of(branches) if several else dict.fromkeys(branches)
        )
        shapes: Any = (
            {name: _cut(view.shape[1:], jitter, name) for name, view in X.items()}
            if several
            else _cut(X.shape[1:], jitter)
        )
        shared = None
        if self.frontend is not None:
            shared = Frontend(self.frontend, shapes, caller=f"{caller}: frontend")
        parts = {}
        for name, branch in branches.items():
            behind = shapes[views[name]] if several else shapes
            if shared is not None:
                behind = shared.output_shape
            part = None
            if branch.frontend is not None:
                part = Frontend(
                    branch.frontend, behind, caller=f"{caller}: branch {name!r}"
                )
            shape = behind if part is None else part.output_shape
            if len(shape) + 1 not in branch._ndim:
                raise ValueError(
                    f"{caller}: branch {name!r} gets windows of shape {shape}, and "
                    f"{type(branch).__name__} takes {branch._ndim[0] - 1} axes. Check "
                    "its view and its frontend."
                )
            parts[name] = (views[name], part)
        return ViewFrontend(parts, shapes, shared)

    def _norm_mode(self) -> dict[str, Any]:
        return {name: branch.input_norm for name, branch in self._branches().items()}

    def _architecture(
        self, input_shape: dict[str, tuple[int, ...]], n_outputs: int
    ) -> tuple[Callable[..., nn.Module], dict[str, Any]]:
        caller = type(self).__name__
        branches = self._branches()
        check_choice(self.fusion, "fusion", ("concat", "attention"), caller=caller)
        unknown = sorted(set(self.nan_loss or ()) - set(branches))
        if unknown:
            raise ValueError(
                f"{caller}: nan_loss names {unknown}, which are no branches. Known are "
                f"{list(branches)}."
            )
        specs = [
            (name, *branch._architecture(input_shape[name], n_outputs))
            for name, branch in branches.items()
        ]
        nan_loss = None
        if self.nan_loss is not None:
            nan_loss = {name: self._n_recorded(name) for name in self.nan_loss}
        return build_multi_view, {
            "branches": specs,
            "n_outputs": n_outputs,
            "fusion": self.fusion,
            "fusion_width": self.fusion_width,
            "aux": self.aux,
            "contrastive": self.contrastive,
            "temperature": self.temperature,
            "contrastive_width": self.contrastive_width,
            "contrastive_weight": self.contrastive_weight,
            "nan_loss": nan_loss,
            "nan_weight": self.nan_weight,
            "frozen": tuple(self.frozen),
        }

    def _n_recorded(self, name: str) -> int:
        """Count the channels of what a branch looks at, before its frontend."""
        shapes = self._shapes_before
        view = self._views_of(self._branches())[name]
        return (shapes[view] if isinstance(shapes, Mapping) else shapes)[0]

    def _train_parts(self, data: FitData) -> None:
        names = self._to_pretrain()
        data.parts = train_alone(self, data, names) if names else {}

    def _to_pretrain(self) -> list[str]:
        self._branches()
        return branches_to_pretrain(
            self.pretrain, self.branches, caller=type(self).__name__
        )

    def _new_net(self, X: Any, data: FitData, device: str) -> VoteNet:
        if not data.given and self._to_pretrain():
            raise ValueError(
                f"{type(self).__name__}: pretrain={self.pretrain!r} is for fit, and "
                "partial_fit trains no branch alone. Call fit first, or set "
                "pretrain=False."
            )
        several = isinstance(X, Mapping)
        self._shapes_before = (
            {name: view.shape[1:] for name, view in X.items()}
            if several
            else X.shape[1:]
        )
        try:
            net = super()._new_net(X, data, device)
        finally:
            del self._shapes_before
        net._keep(parts_=data.parts or {})
        return net

    def _take(self, net: VoteNet, data: FitData, device: str) -> None:
        super()._take(net, data, device)
        # The joined net has their weights: a second copy is of no use.
        net._keep(parts_={})
        if data.parts is not None:
            self.pretrained_ = {
                name: branch.history_ for name, branch in data.parts.items()
            }
        elif not hasattr(self, "pretrained_"):
            self.pretrained_ = {}

    def __sklearn_clone__(self) -> MultiViewClassifier:
        """Clone as scikit-learn does, and say which branches it empties."""
        emptied = _plain_fitted(self.branches)
        if emptied:
            warnings.warn(
                f"{type(self).__name__}: branches {emptied} are fitted, and "
                "scikit-learn's clone, which cross-validation uses, forgets what they "
                "have learned. Give (name, sklearn.frozen.FrozenEstimator(estimator)).",
                UserWarning,
                stacklevel=3,
            )
        return super().__sklearn_clone__()

    def _load_weights(self, net: VoteNet) -> None:
        self._check_frozen(net)
        super()._load_weights(net)
        for name, branch in self._branches().items():
            load_weights(
                net.module_.body.branches[name].body,
                _weights_of(net.parts_.get(name, branch)),
                name=branch._weights_name(),
                caller=f"{type(self).__name__}: branch {name!r}",
            )

    def _check_frozen(self, net: VoteNet) -> None:
        """Refuse to keep a branch as it is that has learned nothing."""
        branches = {**self._branches(), **net.parts_}
        body = net.module_.body
        random = [
            name
            for name in self.frozen
            if _weights_of(branches[name]) is None
            and not self._reaches(body.branches[name])
        ]
        if random:
            raise ValueError(
                f"{type(self).__name__}: frozen names {random}, which have no weights "
                "to start from and would stay random. Give a fitted branch, as "
                "sklearn.frozen.FrozenEstimator(estimator) where scikit-learn clones "
                "this estimator (its clone forgets what a plain one has learned), set "
                f"{random[0]}__weights, or pretrain=[{random[0]!r}]."
            )

    def _reaches(self, branch: nn.Module) -> bool:
        """Tell whether the weights for the whole net hold some for a branch."""
        if isinstance(self.weights, str) and self.weights == "pretrained":
            return bool(find_timm_nets(branch))
        return self.weights is not None

    def _load_statistics(self, net: VoteNet) -> None:
        super()._load_statistics(net)
        for name, branch in {**self._branches(), **net.parts_}.items():
            source = fitted_source(_weights_of(branch), caller=type(self).__name__)
            if source is not None:
                copy_statistics(source.module_.norm, net.module_.norm[name])

    def _architecture_name(self) -> str:
        return f"branches {[name for name, _ in self.branches]}"

    def _sk_visual_block_(self) -> Any:
        names, branches = zip(*self.branches, strict=True)
        return VisualBlock("parallel", branches, names=names)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.dict = True
        tags.input_tags.three_d_array = True
        return tags


def _plain_fitted(branches: Any) -> list[str]:
    """Names of the fitted branches that a clone of the estimator forgets."""
    if not isinstance(branches, (list, tuple)):
        return []
    pairs = [pair for pair in branches if isinstance(pair, tuple) and len(pair) == 2]
    return [
        name
        for name, branch in pairs
        if hasattr(branch, "net_") and not isinstance(branch, FrozenEstimator)
    ]


def _weights_of(branch: Any) -> Any:
    """Return what a branch starts from: itself if it is fitted, else its `weights`."""
    return branch if hasattr(branch, "net_") else branch.weights


def _cut(shape: tuple[int, ...], jitter: Any, view: str = "") -> tuple[int, ...]:
    chosen = jitter is not None and (jitter.views is None or view in jitter.views)
    return (*shape[:-1], jitter.n_times) if chosen else tuple(shape)
