"""From parameters to a net: building it, and the weights that it starts from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from hmsklearn.neural._build import switch_checkpointing
from hmsklearn.neural._device import resolve_amp
from hmsklearn.neural._frontend import Frontend
from hmsklearn.neural._history import rows_of
from hmsklearn.neural._net import VoteNet
from hmsklearn.neural._parameters import SharedParameters
from hmsklearn.neural._plan import find_jitter
from hmsklearn.neural._prepare import FitData
from hmsklearn.neural._weights import copy_statistics, fitted_source, load_weights

__all__ = ["NetSteps"]


class NetSteps(SharedParameters):
    """The steps of ``fit`` that make a net or change it.

    Notes
    -----
    A subclass for another kind of net writes ``_architecture`` and
    ``_architecture_name``.

    Examples
    --------
    >>> NetSteps(input_norm="window")._norm_mode()
    'window'
    """

    device_: str
    evaluations_: Any
    history_: Any
    _n_begun: int

    #: Accepted numbers of axes of what the net takes.
    _ndim: tuple[int, ...] = (3,)
    #: Whether the net runs with images laid out channels last.
    _channels_last = False

    def _architecture(
        self, input_shape: Any, n_outputs: int
    ) -> tuple[Callable[..., nn.Module], dict[str, Any]]:
        """Check the architecture's parameters; return its builder and arguments."""
        raise NotImplementedError

    def _architecture_name(self) -> str:
        """How error messages call the architecture."""
        raise NotImplementedError

    def _weights_name(self) -> str:
        """Name by which a folder's file of weights is found."""
        name = getattr(self, "backbone", None) or getattr(self, "architecture", "net")
        return str(getattr(name, "__name__", name))

    def _train_parts(self, data: FitData) -> None:
        """Train parts of the net that have to be trained before the whole."""

    def _load_weights(self, net: VoteNet) -> None:
        """Put weights to start from into a freshly built net."""
        load_weights(
            net.module_.body,
            self.weights,
            name=self._weights_name(),
            caller=type(self).__name__,
        )

    def _load_statistics(self, net: VoteNet) -> None:
        """Normalise as the weights to start from have learned to expect."""
        source = fitted_source(self.weights, caller=type(self).__name__)
        if source is not None:
            copy_statistics(source.module_.norm, net.module_.norm)

    def _make_frontend(self, X: Any) -> nn.Module | None:
        """Build what runs between the windows and the net."""
        if self.frontend is None:
            return None
        caller = type(self).__name__
        shape = _cut(X.shape[1:], find_jitter(self))
        frontend = Frontend(self.frontend, shape, caller=f"{caller}: frontend")
        if len(frontend.output_shape) + 1 not in self._ndim:
            raise ValueError(
                f"{caller}: the frontend gives windows of shape "
                f"{frontend.output_shape}, the net takes {self._ndim[0] - 1} axes. "
                "Change the frontend's last step."
            )
        return frontend

    def _net_shape(self, X: Any, frontend: Any, jitter: Any) -> Any:
        """Shape of one window of what the net takes."""
        if frontend is not None:
            return frontend.output_shape
        return _cut(X.shape[1:], jitter)

    def _norm_mode(self) -> Any:
        """How the input is normalised; by view where there are several."""
        return self.input_norm

    def _new_net(self, X: Any, data: FitData, device: str) -> VoteNet:
        amp_dtype = resolve_amp(self.amp, device, caller=type(self).__name__)
        frontend = self._make_frontend(X)
        jitter = find_jitter(self)
        shape = self._net_shape(X, frontend, jitter)
        factory, factory_params = self._architecture(shape, data.classes.size)
        return VoteNet(
            factory,
            factory_params,
            self._norm_mode(),
            caller=type(self).__name__,
            frontend=frontend,
            head=self.head,
            jitter=jitter,
            channels_last=self._channels_last,
            amp_dtype=amp_dtype,
            compiled=self.compile,
            iterator_train__pin_memory=device.startswith("cuda"),
            iterator_valid__pin_memory=device.startswith("cuda"),
            device=device,
        )

    def _prepare_update(self, net: VoteNet, device: str) -> None:
        """Let a trained net train as the parameters say now, and where."""
        caller = type(self).__name__
        amp_dtype = resolve_amp(self.amp, device, caller=caller)
        if device != self.device_:
            net.move_to(device)
            net.bring_training_along()
            self.device_ = device
        switch_checkpointing(
            net, self.grad_checkpointing, self._architecture_name(), caller=caller
        )
        pinned = device.startswith("cuda")
        net.train_with(amp_dtype, compiled=self.compile, pin_memory=pinned)
        if not net.history:
            # A net that was saved has forgotten it, the estimator has not.
            net.history.extend(rows_of(self.history_, self.evaluations_, self._n_begun))


def _cut(shape: tuple[int, ...], jitter: Any) -> tuple[int, ...]:
    return tuple(shape) if jitter is None else (*shape[:-1], jitter.n_times)
