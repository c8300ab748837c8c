"""What every augmentation can do: draw once, change windows and their targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from sklearn.base import BaseEstimator

from hmsklearn._params import check_real
from hmsklearn.augmentation._alone import apply_alone
from hmsklearn.augmentation._random import coin, spread

__all__ = ["BaseAugmentation"]


class BaseAugmentation(BaseEstimator):
    """Base class of the augmentations: random changes of windows in training.

    A subclass stores its parameters, writes ``_draw`` (what is random, one value for
    each window) and ``_transform`` (what it does with that). Where the target changes
    too, it writes ``_transform_target``.

    Parameters
    ----------
    p : float, default=0.5
        Probability that a window is changed.
    views : sequence of str, default=None
        Names of the views that are changed, where windows have several; all of them by
        default.
    random_state : int, RandomState instance or None, default=None
        Seed of a call outside a classifier. In a classifier's ``fit`` torch's generator
        is used instead, which ``fit`` seeds.

    Notes
    -----
    ``after_frontend`` says whether a classifier applies it to what its frontend makes
    of the signals, or to the signals. Input is floating point of any precision, output
    a new tensor of the same. All windows of a batch are treated at once, each with
    random numbers of its own, on their device.
    """

    after_frontend: bool = False

    #: Whether a classifier applies it to the features of its net.
    of_features: bool = False

    #: Numbers of axes of the windows that it takes.
    _ndim: tuple[int, ...] = (3, 4, 5)

    def __init__(
        self,
        *,
        p: float = 0.5,
        views: Sequence[str] | None = None,
        random_state: Any = None,
    ) -> None:
        self.p = p
        self.views = views
        self.random_state = random_state

    @property
    def _name(self) -> str:
        return type(self).__name__

    def check(self) -> None:
        """Check the parameters.

        Raises
        ------
        ValueError
            If one of them is unusable.
        """
        check_real(self.p, "p", caller=self._name, low=0, high=1)
        if not isinstance(self.after_frontend, bool):
            raise ValueError(
                f"{self._name}: after_frontend must be True or False, got "
                f"{self.after_frontend!r}."
            )
        named = self.views is None or (
            isinstance(self.views, Sequence)
            and not isinstance(self.views, str)
            and len(self.views) > 0
        )
        if not named:
            raise ValueError(
                f"{self._name}: views must be a list of names, or None for all, got "
                f"{self.views!r}."
            )
        self._check()

    def draw(
        self,
        x: torch.Tensor,
        generator: torch.Generator | None = None,
        **context: torch.Tensor | list[torch.Tensor] | None,
    ) -> dict[str, Any]:
        """Draw what is random, one value for each window.

        Parameters
        ----------
        x : Tensor of shape (n_windows, ...)
            Windows; their number, sizes and device matter, not their values.
        generator : torch.Generator, optional
            Where random numbers come from; torch's own of the device by default.
        **context : Tensor or list of Tensor
            ``fractions``, ``total_votes`` and ``sample_weight`` of the windows, for
            what depends on them, and ``views``, all that :meth:`transform` will be
            given.

        Returns
        -------
        dict of str to Tensor
            The parameters of :meth:`transform`. ``"active"`` tells which windows are
            changed.
        """
        self._check_input(x)
        active = coin(len(x), self.p, x, generator)
        return {"active": active, **self._draw(x, generator, context)}

    def transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None = None
    ) -> torch.Tensor:
        """Change windows.

        Parameters
        ----------
        x : Tensor of shape (n_windows, ...)
            Windows.
        params : dict
            What :meth:`draw` gave.
        view : str, optional
            Name of the view that the windows are.

        Returns
        -------
        Tensor of shape (n_windows, ...)
            New windows.
        """
        self._check_input(x)
        new = self._transform(x, params, view).to(x.dtype)
        return torch.where(spread(params["active"], x), new, x)

    def transform_target(
        self,
        fractions: torch.Tensor,
        params: dict[str, Any],
        total_votes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Change targets as the windows were changed.

        Parameters
        ----------
        fractions : Tensor of shape (n_windows, n_classes)
            Vote fractions.
        params : dict
            What :meth:`draw` gave.
        total_votes : Tensor of shape (n_windows,), optional
            Number of votes behind each row, NaN where it is not known.

        Returns
        -------
        Tensor of shape (n_windows, n_classes)
            Vote fractions; the same ones where the label does not depend on what was
            changed.
        """
        new = self._transform_target(fractions, params, total_votes)
        if new is None:
            return fractions
        return torch.where(
            params["active"][:, None], new.to(fractions.dtype), fractions
        )

    def transform_row(
        self, values: torch.Tensor, params: dict[str, Any]
    ) -> torch.Tensor:
        """Change what travels with each window: its weight, its number of votes.

        Parameters
        ----------
        values : Tensor of shape (n_windows,)
            One number for each window.
        params : dict
            What :meth:`draw` gave.

        Returns
        -------
        Tensor of shape (n_windows,)
            The same numbers; their mixture where windows are mixed.
        """
        new = self._transform_row(values, params)
        if new is None:
            return values
        return torch.where(params["active"], new.to(values.dtype), values)

    def apply(
        self, batch: Mapping[str, Any], generator: torch.Generator | None = None
    ) -> dict[str, Any]:
        """Draw, and change windows and targets of a batch.

        Parameters
        ----------
        batch : mapping
            ``"x"``: windows, or a dict of views of them; ``"fractions"``: vote
            fractions; ``"total_votes"`` and ``"sample_weight"``: one number for each
            window. All but the first may be missing.
        generator : torch.Generator, optional
            Where random numbers come from; torch's own of the device by default.

        Returns
        -------
        dict
            A new batch. Its views were changed by one draw.

        Raises
        ------
        ValueError
            If a parameter is unusable or does not suit the windows.
        """
        self.check()
        out = dict(batch)
        x = batch["x"]
        several = isinstance(x, Mapping)
        chosen = self._choose_views(x) if several else []
        views = [x[name] for name in chosen] if several else [x]
        fractions, votes = batch.get("fractions"), batch.get("total_votes")
        context = {
            "fractions": fractions,
            "total_votes": votes,
            "sample_weight": batch.get("sample_weight"),
            "views": views,
        }
        params = self.draw(views[0], generator, **context)
        if several:
            changed = {name: self.transform(x[name], params, name) for name in chosen}
            out["x"] = {**x, **changed}
        else:
            out["x"] = self.transform(x, params)
        if fractions is not None:
            out["fractions"] = self.transform_target(fractions, params, votes)
        for name in ("sample_weight", "total_votes"):
            if batch.get(name) is not None:
                out[name] = self.transform_row(batch[name], params)
        return out

    def __call__(self, X: Any, y: Any = None) -> Any:
        """Change windows outside a classifier.

        Parameters
        ----------
        X : ndarray, Tensor or dict of them, shape (n_windows, ...)
            Windows.
        y : array-like, optional
            Votes, fractions or labels of the windows.

        Returns
        -------
        ndarray, Tensor or dict of them
            New windows of the same kind; with `y`, they and the vote fractions.
        """
        return apply_alone(self.apply, X, y, self.random_state, self._name)

    def _choose_views(self, x: Mapping[str, torch.Tensor]) -> list[str]:
        chosen = list(x) if self.views is None else list(self.views)
        for name in chosen:
            if name not in x:
                raise ValueError(
                    f"{self._name}: there is no view {name!r} in the batch, which has "
                    f"{list(x)}. Name existing ones in views."
                )
        return chosen

    def _check_input(self, x: torch.Tensor) -> None:
        if not x.is_floating_point():
            raise ValueError(
                f"{self._name}: windows must be floating point, got {x.dtype}. Convert "
                "them first."
            )
        if x.ndim not in self._ndim:
            takes = " or ".join(map(str, self._ndim))
            raise ValueError(
                f"{self._name}: takes windows of {takes} axes, got shape "
                f"{tuple(x.shape)}. Apply it "
                f"{'before' if self._ndim == (3,) else 'after'} the frontend, or name "
                "the views that it suits in views."
            )

    def _same_size(self, size: int, drawn: int, what: str) -> None:
        """Refuse a view for which the random numbers do not suffice."""
        if size != drawn:
            raise ValueError(
                f"{self._name}: views differ in their number of {what}, {drawn} and "
                f"{size}, and one draw cannot serve both. Name one of them in views."
            )

    def _check(self) -> None:
        """Check the parameters of the subclass."""

    def _draw(
        self, x: torch.Tensor, generator: torch.Generator | None, context: dict
    ) -> dict[str, Any]:
        """Draw the parameters of the subclass."""
        return {}

    def _transform(
        self, x: torch.Tensor, params: dict[str, Any], view: str | None
    ) -> torch.Tensor:
        """Change all windows, also those that are not active."""
        return x

    def _transform_target(
        self,
        fractions: torch.Tensor,
        params: dict[str, Any],
        total_votes: torch.Tensor | None,
    ) -> torch.Tensor | None:
        """Change the targets of all windows; None where they stay."""
        return None

    def _transform_row(
        self, values: torch.Tensor, params: dict[str, Any]
    ) -> torch.Tensor | None:
        """Change one number for each window; None where they stay."""
        return None
