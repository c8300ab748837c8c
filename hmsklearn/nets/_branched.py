"""Branches that look at views of a window, before anything joins them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from timm.models import group_parameters
from torch import nn

from hmsklearn.nets._view_branch import ViewBranch
from hmsklearn.nets.layers import count_batches_once

__all__ = ["BranchedNet", "check_known"]


class BranchedNet(nn.Module):
    """What a net of several branches can do with them, whatever joins their features.

    Parameters
    ----------
    branches : mapping of str to torch.nn.Module
        The backbones by name.
    views : mapping of str to str, optional
        Which view a branch looks at; by default the one of its own name.
    input_norm : mapping of str to {"global", "window"}, optional
        Normalisation of a branch's input.
    frontend : mapping of str to torch.nn.Module, optional
        What a view goes through before that.
    """

    def __init__(
        self,
        branches: Mapping[str, nn.Module],
        *,
        views: Mapping[str, str] | None = None,
        input_norm: Mapping[str, str | None] | None = None,
        frontend: Mapping[str, nn.Module | None] | None = None,
    ) -> None:
        super().__init__()
        _check_names(branches)
        for parameter, given in (
            ("views", views),
            ("input_norm", input_norm),
            ("frontend", frontend),
        ):
            check_known(parameter, given or (), branches)
        self.views = {name: (views or {}).get(name, name) for name in branches}
        self.branches = nn.ModuleDict(
            {
                name: ViewBranch(
                    name,
                    body,
                    (input_norm or {}).get(name),
                    (frontend or {}).get(name),
                )
                for name, body in branches.items()
            }
        )
        self.grad_checkpointing = False
        self._frozen: dict[str, list[str]] = {}

    def _parts(self) -> Iterator[tuple[str, ViewBranch]]:
        """Names and branches, typed as what they are."""
        yield from self.branches.items()  # type: ignore[misc]

    def branch_features(self, x: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Map the views to the features of each branch.

        Parameters
        ----------
        x : mapping of str to Tensor of shape (n_windows, ...)
            The views.

        Returns
        -------
        dict of str to Tensor of shape (n_windows, n_features)
            Features by branch.
        """
        self.check_input(x)
        return {name: branch(x[self.views[name]]) for name, branch in self._parts()}

    def freeze_branch(self, name: str, freeze: bool = True) -> None:
        """Keep a branch from learning, or let it learn again.

        Its backbone is then in evaluation mode during training too: no dropout, and
        running statistics stay. What lies behind it (projection, heads) learns on.

        Parameters
        ----------
        name : str
            The branch.
        freeze : bool, default=True
            Whether to freeze it; otherwise what it froze learns again.

        Raises
        ------
        ValueError
            If there is no such branch.
        """
        check_known("name", [name], self.branches)
        branch = self.branches[name]
        if freeze and name not in self._frozen:
            learning = [n for n, p in branch.named_parameters() if p.requires_grad]
            self._frozen[name] = learning
            branch.requires_grad_(False)
            branch.eval()
        elif not freeze and name in self._frozen:
            learning = self._frozen.pop(name)
            for parameter in learning:
                branch.get_parameter(parameter).requires_grad_(True)
            branch.train(self.training)

    def load_branch(self, name: str, state: Mapping[str, torch.Tensor]) -> None:
        """Start a branch from the weights of a net that was trained alone.

        Parameters
        ----------
        name : str
            The branch.
        state : mapping of str to Tensor
            State dict of the backbone, with any head or without, or of the module of a
            fitted estimator (``clf.net_.module_.state_dict()``); its normalisation is
            taken over where the branch has a global one.

        Raises
        ------
        ValueError
            If there is no such branch, or the weights do not fit.
        """
        check_known("name", [name], self.branches)
        self.branches[name].load(state, name)  # type: ignore[operator]

    def train(self, mode: bool = True) -> BranchedNet:
        """Switch between training and evaluation; frozen branches stay in the latter.

        Parameters
        ----------
        mode : bool, default=True
            Whether to train.

        Returns
        -------
        self : BranchedNet
            The net.
        """
        super().train(mode)
        for name in self._frozen:
            self.branches[name].eval()
        return self

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Recompute the branches' blocks in the backward pass.

        Parameters
        ----------
        enable : bool, default=True
            Whether to.

        Raises
        ------
        ValueError
            If no branch can.

        Warns
        -----
        UserWarning
            If some branches cannot; these run as they do without.
        """
        refused = []
        for name, branch in self._parts():
            if not hasattr(branch.body, "set_grad_checkpointing"):
                refused.append(name)
                continue
            try:
                branch.body.set_grad_checkpointing(enable)
            except (AssertionError, ValueError):  # how timm and this package refuse
                refused.append(name)
                continue
            # Models of timm recompute their batch norms as they are.
            count_batches_once(branch.body)
        if len(refused) == len(self.branches):
            raise ValueError(
                f"MultiViewNet: no branch of {refused} has gradient checkpointing. Use "
                "smaller batches."
            )
        if refused and enable:
            warnings.warn(
                f"MultiViewNet: the branches {refused} have no gradient checkpointing "
                "and store their activations as before. Use smaller batches, or other "
                "backbones for them.",
                stacklevel=2,
            )
        self.grad_checkpointing = enable

    def layer_groups(self, coarse: bool = False) -> list[list[str]]:
        """Names of the parameters from the inputs to the heads.

        Branches are aligned at their ends: layers as far from the fusion are one group,
        whatever the depth of their branch.

        Parameters
        ----------
        coarse : bool, default=False
            Whether backbones are grouped by stages instead of blocks.

        Returns
        -------
        list of list of str
            One list for every depth; the last holds what lies behind the branches.
            Every parameter is in one of them.

        Raises
        ------
        ValueError
            If the layers of a branch are not ordered.
        """
        from_end: list[list[str]] = []
        for name, branch in self._parts():
            prefix = f"branches.{name}."
            paths = [path for path, _ in branch.named_parameters()]
            groups = [paths]
            if hasattr(branch.body, "layer_groups"):
                inner = branch.body.layer_groups(coarse=coarse)
            elif hasattr(branch.body, "group_matcher"):
                matcher = branch.body.group_matcher(coarse=coarse)
                found = group_parameters(branch.body, matcher)
                inner = [found[depth] for depth in sorted(found)]
            else:
                inner = []
            if inner:
                groups = [[f"body.{path}" for path in group] for group in inner]
                known = {path for group in groups for path in group}
                # A frontend with weights comes before everything.
                groups.insert(0, [path for path in paths if path not in known])
            for i, group in enumerate(reversed([group for group in groups if group])):
                if i == len(from_end):
                    from_end.append([])
                from_end[i] += [prefix + path for path in group]
        rest = [n for n, _ in self.named_parameters() if not n.startswith("branches.")]
        return [group for group in [*reversed(from_end), rest] if group]

    def check_input(self, x: Mapping[str, torch.Tensor]) -> None:
        """Refuse input without the views that the branches look at.

        Parameters
        ----------
        x : mapping of str to Tensor
            The views.

        Raises
        ------
        TypeError
            If it is no mapping.
        ValueError
            If a view is missing, or views have different numbers of windows.
        """
        if not isinstance(x, Mapping):
            raise TypeError(
                f"MultiViewNet: got a {type(x).__name__}, expected a mapping of the "
                f"views {sorted(set(self.views.values()))} to tensors."
            )
        missing = sorted(set(self.views.values()) - set(x.keys()))
        if missing:
            raise ValueError(
                f"MultiViewNet: the views {missing} are missing; there are {list(x)}. "
                "Give a view for each branch, or name it in views."
            )
        lengths = {view: x[view].shape[0] for view in self.views.values()}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"MultiViewNet: the views have different numbers of windows: {lengths}."
            )


def _check_names(branches: Any) -> None:
    if not isinstance(branches, Mapping) or not branches:
        raise ValueError(
            "MultiViewNet: branches must be a mapping of one name or more to modules, "
            f"got {type(branches).__name__}."
        )
    for name in branches:
        # What torch refuses as the name of a module.
        taken = isinstance(name, str) and hasattr(nn.ModuleDict, name)
        if not isinstance(name, str) or not name or "." in name or taken:
            raise ValueError(
                f"MultiViewNet: {name!r} cannot be the name of a branch. Give a word "
                "without a dot that torch.nn.ModuleDict has no attribute of, and name "
                "the view that it looks at in views."
            )


def check_known(parameter: str, names: Any, branches: Any) -> None:
    unknown = [name for name in names if name not in branches]
    if unknown:
        raise ValueError(
            f"MultiViewNet: {parameter}: there are no branches {unknown}, only "
            f"{list(branches)}."
        )
