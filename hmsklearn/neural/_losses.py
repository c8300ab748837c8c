"""What training minimises."""

from __future__ import annotations

import copy
import difflib
import inspect
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from hmsklearn._params import check_real

__all__ = [
    "DirichletMultinomialLoss",
    "FocalLoss",
    "SoftBCELoss",
    "VoteKLLoss",
    "VoteLoss",
    "make_loss",
]


class VoteLoss(nn.Module):
    """Base class of the losses: logits and votes in, one number out.

    A subclass writes ``cost``, and ``probabilities`` where its logits are not meant
    for a softmax.

    Attributes
    ----------
    needs_votes : bool
        Whether the number of votes of every window must be known; on the class.

    Notes
    -----
    The loss is ``mean(weight * cost)`` over the batch. Weights are meant to have mean
    one over the training set, which makes the mean over an epoch the weighted mean,
    whatever falls into which batch. Computed in float32 (float64 where the logits are)
    also where the net runs in half precision. A loss may have parameters that are
    learned along with the net's.

    Examples
    --------
    >>> class Brier(VoteLoss):
    ...     def cost(self, logits, fractions, total_votes=None):
    ...         return (logits.softmax(dim=1) - fractions).square().sum(dim=1)
    >>> Brier()(torch.zeros(3, 2), torch.tensor([[1.0, 0.0]]).expand(3, 2)).item()
    0.5
    """

    needs_votes = False

    def __init__(self) -> None:
        # torch's own takes any arguments by its signature and refuses them later.
        super().__init__()

    def forward(
        self,
        logits: torch.Tensor,
        fractions: torch.Tensor,
        sample_weight: torch.Tensor | None = None,
        total_votes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Loss of a batch.

        Parameters
        ----------
        logits : Tensor of shape (n_windows, n_classes)
            Output of the net.
        fractions : Tensor of shape (n_windows, n_classes)
            Vote fractions; rows sum to one.
        sample_weight : Tensor of shape (n_windows,), optional
            Weights.
        total_votes : Tensor of shape (n_windows,), optional
            Votes behind each window; NaN where unknown.

        Returns
        -------
        Tensor
            Scalar.
        """
        with torch.autocast(logits.device.type, enabled=False):
            cost = self.cost(_full(logits), _full(fractions), total_votes)
            if sample_weight is not None:
                cost = cost * sample_weight
            return cost.mean()

    def cost(
        self,
        logits: torch.Tensor,
        fractions: torch.Tensor,
        total_votes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Cost of every window.

        Parameters
        ----------
        logits : Tensor of shape (n_windows, n_classes)
            Output of the net, float32 or float64.
        fractions : Tensor of shape (n_windows, n_classes)
            Vote fractions; rows sum to one.
        total_votes : Tensor of shape (n_windows,), optional
            Votes behind each window; NaN where unknown.

        Returns
        -------
        Tensor of shape (n_windows,)
            Costs, not weighted.
        """
        raise NotImplementedError

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Predictions of a net that was trained with this loss.

        Parameters
        ----------
        logits : Tensor of shape (n_windows, n_classes)
            Output of the net.

        Returns
        -------
        Tensor of shape (n_windows, n_classes), float64
            Probabilities; rows sum to one.
        """
        return torch.softmax(logits.double(), dim=1)


class VoteKLLoss(VoteLoss):
    """Kullback-Leibler divergence from vote fractions to the softmax of logits.

    Notes
    -----
    A window costs ``sum_k y_k log(y_k / p_k)`` with ``0 log 0 = 0``, as in the
    competition, in nat. See :class:`VoteLoss` for weights and number types.

    References
    ----------
    Kaggle, HMS - Harmful Brain Activity Classification, evaluation page; the
    weighting by votes: 2nd place (discussion 492254).

    Examples
    --------
    >>> loss = VoteKLLoss()
    >>> fractions = torch.tensor([[0.5, 0.5], [1.0, 0.0]])
    >>> round(loss(torch.zeros(2, 2), fractions).item(), 4)
    0.3466
    >>> weight = torch.tensor([2.0, 0.0])
    >>> round(loss(torch.zeros(2, 2), fractions, sample_weight=weight).item(), 4)
    0.0
    """

    def cost(
        self,
        logits: torch.Tensor,
        fractions: torch.Tensor,
        total_votes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Cost of every window.

        Parameters
        ----------
        logits : Tensor of shape (n_windows, n_classes)
            Output of the net.
        fractions : Tensor of shape (n_windows, n_classes)
            Vote fractions; rows sum to one.
        total_votes : Tensor, optional
            Not used.

        Returns
        -------
        Tensor of shape (n_windows,)
            Divergences, in nat.
        """
        log_prob = torch.log_softmax(logits, dim=1)
        return (torch.xlogy(fractions, fractions) - fractions * log_prob).sum(dim=1)


class SoftBCELoss(VoteLoss):
    """Binary cross entropy of every class, with vote fractions as soft labels.

    Notes
    -----
    A window costs the mean over its classes of ``-y log s - (1 - y) log(1 - s)`` with
    ``s = sigmoid(logit)``. The cost is least at ``s = y``: the sigmoids are what
    estimates the fractions, and they sum to one only as far as the net has learned
    it. Predictions are therefore the sigmoids divided by their sum; a softmax of the
    same logits would flatten or sharpen them.

    References
    ----------
    7th place of HMS (discussion 492281).

    Examples
    --------
    >>> loss = SoftBCELoss()
    >>> round(loss(torch.zeros(1, 6), torch.eye(6)[:1]).item(), 4)
    0.6931
    >>> loss.probabilities(torch.tensor([0.6, 0.3, 0.1]).logit()[None])
    tensor([[0.6000, 0.3000, 0.1000]], dtype=torch.float64)
    """

    def cost(
        self,
        logits: torch.Tensor,
        fractions: torch.Tensor,
        total_votes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Cost of every window.

        Parameters
        ----------
        logits : Tensor of shape (n_windows, n_classes)
            Output of the net.
        fractions : Tensor of shape (n_windows, n_classes)
            Vote fractions.
        total_votes : Tensor, optional
            Not used.

        Returns
        -------
        Tensor of shape (n_windows,)
            Cross entropies, in nat.
        """
        return functional.binary_cross_entropy_with_logits(
            logits, fractions, reduction="none"
        ).mean(dim=1)

    def probabilities(self, logits: torch.Tensor) -> torch.Tensor:
        """Sigmoids divided by their sum.

        Parameters
        ----------
        logits : Tensor of shape (n_windows, n_classes)
            Output of the net.

        Returns
        -------
        Tensor of shape (n_windows, n_classes), float64
            Probabilities; rows sum to one.
        """
        # In logarithms, since all sigmoids of a window may be too small for a number.
        return torch.softmax(functional.logsigmoid(logits.double()), dim=1)


class FocalLoss(SoftBCELoss):
    """Binary cross entropy of every class that cares less for what is known already.

    Parameters
    ----------
    gamma : float, default=2.0
        How much less: 0 is the plain cross entropy.
    alpha : float, default=None
        Weight of the votes for a class; those against it have ``1 - alpha``. None
        weighs both with one.

    Notes
    -----
    A window costs the mean over its classes of ``-alpha y (1 - s)^gamma log s -
    (1 - alpha) (1 - y) s^gamma log(1 - s)`` with ``s = sigmoid(logit)``: the mean over
    its voters of what each vote would cost as a hard label. Predictions are the
    sigmoids divided by their sum, as for :class:`SoftBCELoss`. With `gamma` above 0
    they are flatter than the fractions, and `alpha` shifts them: this loss is made for
    finding rare classes, not for a low divergence.

    References
    ----------
    T.-Y. Lin et al. (2017), Focal loss for dense object detection. Used in SETI
    Breakthrough Listen by the 3rd place (`gamma` 0.5) and the 4th (`gamma` 2, `alpha`
    0.7).

    Examples
    --------
    >>> loss = FocalLoss(gamma=2.0, alpha=0.7)
    >>> round(loss(torch.zeros(1, 1), torch.ones(1, 1)).item(), 4)  # .7 * .5^2 * log 2
    0.1213
    """

    def __init__(self, gamma: float = 2.0, alpha: float | None = None) -> None:
        super().__init__()
        self.gamma = check_real(gamma, "gamma", caller="FocalLoss", low=0)
        self.alpha = alpha
        if alpha is not None:
            self.alpha = check_real(alpha, "alpha", caller="FocalLoss", low=0, high=1)

    def cost(
        self,
        logits: torch.Tensor,
        fractions: torch.Tensor,
        total_votes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Cost of every window.

        Parameters
        ----------
        logits : Tensor of shape (n_windows, n_classes)
            Output of the net.
        fractions : Tensor of shape (n_windows, n_classes)
            Vote fractions.
        total_votes : Tensor, optional
            Not used.

        Returns
        -------
        Tensor of shape (n_windows,)
            Costs, in nat.
        """
        log_yes = functional.logsigmoid(logits)
        log_no = functional.logsigmoid(-logits)
        # exp(gamma * log) instead of a power, whose gradient at zero is not finite.
        yes = -fractions * torch.exp(self.gamma * log_no) * log_yes
        no = -(1 - fractions) * torch.exp(self.gamma * log_yes) * log_no
        if self.alpha is not None:
            yes, no = self.alpha * yes, (1 - self.alpha) * no
        return (yes + no).mean(dim=1)

    def extra_repr(self) -> str:
        """Parameters for ``print``.

        Returns
        -------
        str
            The parameters.
        """
        return f"gamma={self.gamma}, alpha={self.alpha}"


class DirichletMultinomialLoss(VoteLoss):
    """Likelihood of the votes when voters of one window agree more than by chance.

    Parameters
    ----------
    concentration : float, default=10.0
        How far the distribution of one window's votes may be from the predicted one:
        the sum of the parameters of the Dirichlet distribution that it is drawn from.
        The smaller, the less the votes of one window tell about the net.
    learn : bool, default=True
        Whether the concentration is learned, from the value given.
    per_vote : bool, default=False
        Divide the cost of a window by its number of votes. Without, windows with
        more votes cost more, as far as these tell something new.

    Attributes
    ----------
    log_concentration : Tensor
        Logarithm of the concentration.

    Notes
    -----
    With `n` votes, of which `n_k = y_k n` for class `k`, `p` the softmax of the logits
    and `c` the concentration, a window costs the negative logarithm of ::

        Gamma(c) / Gamma(n + c) * prod_k Gamma(n_k + c p_k) / Gamma(c p_k)

    plus ``sum_k n_k log y_k``, a constant which makes the cost at least zero. It tends
    to `n` times the Kullback-Leibler divergence when `c` goes to infinity. A window
    with 20 votes then weighs 20 times as much as one with a single vote; with a small
    `c` hardly more. The gammas are computed in float64, since in float32 their
    differences drown in rounding already at `c` of a thousand; a device without
    float64 cannot compute this loss.

    References
    ----------
    J. E. Mosimann (1962), On the compound multinomial distribution, Biometrika 49.

    Examples
    --------
    >>> loss = DirichletMultinomialLoss(concentration=2.0, learn=False)
    >>> fractions, votes = torch.tensor([[1.0, 0.0]]), torch.tensor([3.0])
    >>> round(loss(torch.zeros(1, 2), fractions, total_votes=votes).item(), 4)
    1.3863
    """

    needs_votes = True

    def __init__(
        self, concentration: float = 10.0, learn: bool = True, per_vote: bool = False
    ) -> None:
        super().__init__()
        concentration = check_real(
            concentration,
            "concentration",
            caller="DirichletMultinomialLoss",
            low=0,
            low_open=True,
        )
        self.per_vote = per_vote
        self.log_concentration = nn.Parameter(
            torch.tensor(concentration).log(), requires_grad=bool(learn)
        )

    def cost(
        self,
        logits: torch.Tensor,
        fractions: torch.Tensor,
        total_votes: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Cost of every window.

        Parameters
        ----------
        logits : Tensor of shape (n_windows, n_classes)
            Output of the net.
        fractions : Tensor of shape (n_windows, n_classes)
            Vote fractions; rows sum to one.
        total_votes : Tensor of shape (n_windows,)
            Votes behind each window, above zero.

        Returns
        -------
        Tensor of shape (n_windows,)
            Costs, in nat.

        Raises
        ------
        ValueError
            If the number of votes is not known.
        """
        # Looking into a tensor on a GPU would make it wait in every step.
        if total_votes is None or (
            total_votes.device.type == "cpu" and bool(total_votes.isnan().any())
        ):
            raise ValueError(
                f"{type(self).__name__}: needs the number of votes of every window, "
                "and fractions do not tell it. Pass vote counts as y, or use "
                "loss='kl'."
            )
        log_c = self.log_concentration.double()
        log_alpha = torch.log_softmax(logits.double(), dim=1) + log_c
        alpha, c = log_alpha.exp(), log_c.exp()
        share, n = fractions.double(), total_votes.double()
        counts = share * n[:, None]
        # Gamma(a + n) / Gamma(a) as a Gamma(a + n) / Gamma(a + 1): it stays finite
        # where a is too small for a number. Classes without votes have the factor one.
        voted = counts > 0
        some = torch.where(voted, counts, 1.0)
        gain = log_alpha + torch.lgamma(alpha + some) - torch.lgamma(alpha + 1)
        log_likelihood = (
            torch.where(voted, gain, 0.0).sum(dim=1)
            + torch.lgamma(c)
            - torch.lgamma(c + n)
        )
        cost = torch.xlogy(counts, share).sum(dim=1) - log_likelihood
        if self.per_vote:
            cost = cost / n
        return cost.to(logits.dtype)

    def extra_repr(self) -> str:
        """Parameters for ``print``.

        Returns
        -------
        str
            The parameters.
        """
        concentration = self.log_concentration.exp().item()
        learn = self.log_concentration.requires_grad
        return (
            f"concentration={concentration:g}, learn={learn}, per_vote={self.per_vote}"
        )


_LOSSES: dict[str, type[VoteLoss]] = {
    "kl": VoteKLLoss,
    "bce": SoftBCELoss,
    "focal": FocalLoss,
    "dirichlet_multinomial": DirichletMultinomialLoss,
}


def make_loss(
    loss: str | type[nn.Module] | nn.Module,
    loss_params: dict[str, Any] | None = None,
    *,
    caller: str,
) -> nn.Module:
    """Build the loss that an estimator's parameters name.

    Parameters
    ----------
    loss : {"kl", "bce", "focal", "dirichlet_multinomial"}, class or module
        Name, class or instance. An instance is copied, so that parameters which it
        learns do not leak from one training into the next. One that is not a
        :class:`VoteLoss` must have its ``forward``.
    loss_params : dict, optional
        Keyword arguments of the class.
    caller : str
        Name that starts the error messages.

    Returns
    -------
    torch.nn.Module
        The loss.

    Raises
    ------
    ValueError
        If the name or a parameter is not known or not usable.
    TypeError
        If it is something else, or its ``forward`` has not the arguments needed.

    Examples
    --------
    >>> make_loss("focal", {"gamma": 0.5}, caller="doctest")
    FocalLoss(gamma=0.5, alpha=None)
    """
    params = dict(loss_params or {})
    if isinstance(loss, nn.Module):
        if params:
            raise ValueError(
                f"{caller}: loss is an instance of {type(loss).__name__}, which has "
                f"its parameters already; leave out loss_params={params!r} or give "
                "the class."
            )
        made = copy.deepcopy(loss)
    elif isinstance(loss, str) and loss not in _LOSSES:
        close = difflib.get_close_matches(loss, _LOSSES, n=2, cutoff=0.4)
        hint = f"Did you mean {' or '.join(map(repr, close))}? " if close else ""
        raise ValueError(
            f"{caller}: loss={loss!r} is not known. {hint}Known are {list(_LOSSES)}; a "
            "torch module will do as well."
        )
    elif isinstance(loss, str):
        made = _build(_LOSSES[loss], params, caller)
    elif isinstance(loss, type) and issubclass(loss, nn.Module):
        made = _build(loss, params, caller)
    else:
        raise TypeError(
            f"{caller}: loss must be one of {list(_LOSSES)}, a class of torch modules "
            f"or an instance, got {loss!r}."
        )
    if not isinstance(made, VoteLoss):
        _check_forward(made, caller)
    return made


def _build(cls: type[nn.Module], params: dict[str, Any], caller: str) -> nn.Module:
    signature = inspect.signature(cls)
    try:
        signature.bind(**params)
    except TypeError as error:
        known = list(signature.parameters)
        unknown = [name for name in params if name not in known]
        close = [c for u in unknown for c in difflib.get_close_matches(str(u), known)]
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise ValueError(
            f"{caller}: loss_params={params!r} do not fit {cls.__name__}: {error}."
            f"{hint} It has {known}."
        ) from error
    return cls(**params)


def _check_forward(loss: nn.Module, caller: str) -> None:
    try:
        inspect.signature(loss.forward).bind(
            "logits", "fractions", sample_weight=None, total_votes=None
        )
    except TypeError as error:
        raise TypeError(
            f"{caller}: the loss {type(loss).__name__} cannot be called as "
            "loss(logits, fractions, sample_weight=..., total_votes=...) "
            f"({error}). Give its forward these arguments, or derive it from VoteLoss "
            "and write cost(logits, fractions, total_votes)."
        ) from error


def _full(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
