"""A net of several branches, one for each view of a window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from hmsklearn.nets._branched import BranchedNet, check_known
from hmsklearn.nets._output import NetOutput
from hmsklearn.nets.layers import (
    InfoNCE,
    MissingShareHead,
    ViewFusion,
    VoteHead,
    missing_share,
)

__all__ = ["MultiViewNet"]


class MultiViewNet(BranchedNet):
    """Branches that look at several views of a window, and what joins them.

    Parameters
    ----------
    branches : mapping of str to torch.nn.Module
        The backbones by name, in order: nets of this package or models of timm. Their
        heads are taken off.
    n_outputs : int
        Number of classes.
    views : mapping of str to str, optional
        Which view a branch looks at, where that is not the one of its own name. Two
        branches may look at one view.
    input_norm : mapping of str to {"global", "window"}, optional
        Normalisation of a branch's input, see
        :class:`hmsklearn.nets.layers.InputNorm`; none by default.
    frontend : mapping of str to torch.nn.Module, optional
        What turns a view into what the branch takes, in front of the normalisation.
    fusion : {"concat", "attention"}, default="concat"
        Features side by side; or projected to a common width and averaged with weights
        by attention.
    fusion_width : int, default=512
        The common width.
    aux : bool, default=True
        Whether each branch has an auxiliary linear head, which learns the same votes.
    contrastive : pair of str, optional
        Two branches whose features of one window are drawn together, see
        :class:`hmsklearn.nets.layers.InfoNCE`.
    temperature : float, default=0.07
        Its temperature.
    contrastive_width : int, default=128
        Width of the space in which it compares.
    contrastive_weight : float, default=0.1
        Its weight in the loss.
    nan_loss : mapping of str to int, optional
        Branches that predict the share of missing samples of every channel of their
        view, with the number of these channels, see
        :class:`hmsklearn.nets.layers.MissingShareHead`.
    nan_weight : float, default=0.1
        Weight of the mean of these losses.
    frozen : sequence of str, default=()
        Branches that do not learn, see ``freeze_branch``.

    Attributes
    ----------
    branches : torch.nn.ModuleDict
        The branches; ``branches[name].body`` is the backbone, ``norm`` the
        normalisation.
    views : dict of str to str
        The view of each branch.
    fusion : ViewFusion
        What joins the features.
    num_features : int
        Width of the joined features.
    head : torch.nn.Module
        From the joined features to the logits.
    aux_heads : torch.nn.ModuleDict
        The auxiliary heads by branch.
    head_prefixes : tuple of str
        Starts of the names of the parameters that belong to no branch.

    Raises
    ------
    ValueError
        If a parameter names a branch that does not exist, or is out of range.
    TypeError
        If a branch gives no features.

    See Also
    --------
    hmsklearn.nets.build_multi_view : Builds one from a description that can be saved.
    hmsklearn.views.WindowViews : The data that such a net learns from.

    Notes
    -----
    Input is a mapping of view names to tensors ``(n_windows, ...)``; views that no
    branch looks at are left alone. Output is logits ``(n_windows, n_outputs)``, and in
    training a :class:`hmsklearn.nets.NetOutput` with the logits of the auxiliary heads
    by branch, and the losses ``"contrastive"`` and ``"nan"``. With `aux_weight` 1, the
    loss is ``(KL_all + sum KL_i) / (1 + n_branches)``; the 6th place divided by the
    number of branches, which differs by a constant factor.

    No NaN may reach a backbone. With `nan_loss` they come in all the same, and the
    branch's frontend fills them. Where they were filled earlier, ``forward`` takes the
    shares as `nan_share`.

    What a backbone gives beside its features in training (auxiliary heads of its own)
    plays no part here.

    References
    ----------
    6th place of HMS: four transformers, joined features, auxiliary heads (discussion
    492619). 2nd: X3D and EfficientNet-B5, 4096 features (492254). 8th: three branches
    that were trained alone before (492482). 9th: attention over encoders, contrastive
    and NaN loss (492429; the weights are not published). 15th: three auxiliary heads.

    Examples
    --------
    >>> from hmsklearn.nets import ResNet1DGRU, TimmNet
    >>> branches = {
    ...     "raw": ResNet1DGRU(4, 6, 500, width=8, gru_hidden=8),
    ...     "image": TimmNet(1, 6, (32, 32), backbone="test_efficientnet"),
    ... }
    >>> net = MultiViewNet(branches, 6, contrastive=("raw", "image"))
    >>> x = {"raw": torch.randn(2, 4, 500), "image": torch.randn(2, 1, 32, 32)}
    >>> output = net(x)
    >>> output.logits.shape, list(output.aux), list(output.losses)
    (torch.Size([2, 6]), ['raw', 'image'], ['contrastive'])
    >>> net.eval()(x).shape
    torch.Size([2, 6])
    """

    #: How the names of the parameters behind the branches start.
    head_prefixes = ("head", "aux_heads", "fusion", "info_nce", "nan_heads")

    def __init__(
        self,
        branches: Mapping[str, nn.Module],
        n_outputs: int,
        *,
        views: Mapping[str, str] | None = None,
        input_norm: Mapping[str, str | None] | None = None,
        frontend: Mapping[str, nn.Module | None] | None = None,
        fusion: str = "concat",
        fusion_width: int = 512,
        aux: bool = True,
        contrastive: Sequence[str] | None = None,
        temperature: float = 0.07,
        contrastive_width: int = 128,
        contrastive_weight: float = 0.1,
        nan_loss: Mapping[str, int] | None = None,
        nan_weight: float = 0.1,
        frozen: Sequence[str] = (),
    ) -> None:
        super().__init__(
            branches, views=views, input_norm=input_norm, frontend=frontend
        )
        for parameter, given in (
            ("contrastive", contrastive),
            ("nan_loss", nan_loss),
            ("frozen", frozen),
        ):
            check_known(parameter, given or (), branches)
        if contrastive is not None and len(set(contrastive)) != 2:
            raise ValueError(
                f"MultiViewNet: contrastive={contrastive!r} must name two branches."
            )
        widths = {name: int(each.num_features) for name, each in self._parts()}
        self.fusion = ViewFusion(widths, fusion, fusion_width)
        self.num_features = self.fusion.num_features
        self.aux = aux
        self.contrastive = None if contrastive is None else tuple(contrastive)
        self.contrastive_weight = contrastive_weight
        self.nan_weight = nan_weight
        if self.contrastive is not None:
            self.info_nce = InfoNCE(
                *[widths[name] for name in self.contrastive],
                width=contrastive_width,
                temperature=temperature,
            )
        self.nan_heads = nn.ModuleDict(
            {
                name: MissingShareHead(widths[name], n_chans)
                for name, n_chans in (nan_loss or {}).items()
            }
        )
        self.reset_head(n_outputs)
        for name in frozen:
            self.freeze_branch(name)

    def reset_head(self, n_outputs: int, **params: Any) -> None:
        """Put freshly initialised heads on the net.

        Parameters
        ----------
        n_outputs : int
            Number of classes; 0 removes the heads, also the auxiliary ones, so that the
            net gives features.
        **params : object
            Parameters of :class:`hmsklearn.nets.layers.VoteHead` for the main head, for
            instance ``drop_rate=0.5``; a linear layer without any.
        """
        self.n_outputs = n_outputs
        self.head: nn.Module
        if n_outputs == 0:
            self.head = nn.Identity()
        elif params:
            self.head = VoteHead(self.num_features, n_outputs, **params)
        else:
            self.head = nn.Linear(self.num_features, n_outputs)
        self.aux_heads = nn.ModuleDict()
        if self.aux and n_outputs > 0:
            for name, branch in self._parts():
                self.aux_heads[name] = nn.Linear(branch.num_features, n_outputs)

    def forward_features(self, x: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Map the views to joined features.

        Parameters
        ----------
        x : mapping of str to Tensor of shape (n_windows, ...)
            The views.

        Returns
        -------
        Tensor of shape (n_windows, num_features)
            Joined features.
        """
        return self.fusion(self.branch_features(x))

    def forward_head(
        self,
        x: torch.Tensor,
        pre_logits: bool = False,
        total_votes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Map joined features to logits.

        Parameters
        ----------
        x : Tensor of shape (n_windows, num_features)
            What ``forward_features`` gave.
        pre_logits : bool, default=False
            Whether to stop before the head.
        total_votes : Tensor of shape (n_windows,), optional
            Votes behind each window, for heads that tell few from many.

        Returns
        -------
        Tensor of shape (n_windows, n_outputs)
            Logits, or what enters the head.
        """
        if pre_logits:
            return x
        if isinstance(self.head, VoteHead):
            return self.head(x, total_votes=total_votes)
        return self.head(x)

    def forward(
        self,
        x: Mapping[str, torch.Tensor],
        total_votes: torch.Tensor | None = None,
        nan_share: Mapping[str, torch.Tensor] | None = None,
    ) -> torch.Tensor | NetOutput:
        """Map the views to logits.

        Parameters
        ----------
        x : mapping of str to Tensor of shape (n_windows, ...)
            The views.
        total_votes : Tensor of shape (n_windows,), optional
            Votes behind each window, for heads that tell few from many in training.
        nan_share : mapping of str to Tensor of shape (n_windows, n_chans), optional
            For views whose NaN were filled before: the share of them in every channel.
            Only used in training.

        Returns
        -------
        Tensor of shape (n_windows, n_outputs), or NetOutput in training
            Logits.

        Raises
        ------
        ValueError
            If a view is missing or has another shape than its branch was built for.
        """
        features = self.branch_features(x)
        logits = self.forward_head(self.fusion(features), total_votes=total_votes)
        if not self.training:
            return logits
        aux = {name: head(features[name]) for name, head in self.aux_heads.items()}
        losses = {}
        if self.contrastive is not None:
            first, second = self.contrastive
            alike = self.info_nce(features[first], features[second])
            losses["contrastive"] = self.contrastive_weight * alike
        if self.nan_heads:
            parts = []
            for name, head in self.nan_heads.items():
                view = self.views[name]
                given = (nan_share or {}).get(view)
                share = missing_share(x[view]) if given is None else given
                parts.append(head(features[name], share))
            losses["nan"] = self.nan_weight * torch.stack(parts).mean()
        return NetOutput(logits, aux=aux, losses=losses)
