"""Muon for the matrices of the transformer blocks and AdamW for all other parameters, as one optimiser."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class MuonWithAdamW(torch.optim.Optimizer):
    """Two optimisers of disjoint parameters behind the interface of one, as the Trainer requires.

    Muon [1]_ orthogonalises the updates of matrices. Embeddings, the head and the norms are not such
    matrices and are optimised by AdamW. The updates of Muon are scaled to the root mean square of AdamW's
    [2]_, so that the two learning rates are comparable.

    Args:
        model: a model whose transformer blocks are ``model.layers``.
        muon_lr: learning rate of Muon.
        momentum: momentum of Muon.
        adam_lr: learning rate of AdamW.
        betas: decay rates of AdamW's moments.
        weight_decay: decoupled weight decay of both.

    References:
        .. [1] K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024.
        .. [2] J. Liu et al., "Muon is scalable for LLM training", arXiv 2502.16982.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        muon_lr: float,
        momentum: float,
        adam_lr: float,
        betas: tuple[float, float],
        weight_decay: float,
    ) -> None:
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            is_matrix = parameter.ndim == 2 and ".layers." in name
            (matrices if is_matrix else others).append(parameter)
        muon = torch.optim.Muon(
            matrices,
            lr=muon_lr,
            momentum=momentum,
            weight_decay=weight_decay,
            adjust_lr_fn="match_rms_adamw",
        )
        adam = torch.optim.AdamW(others, lr=adam_lr, betas=betas, weight_decay=weight_decay)
        self.optimizers = (muon, adam)
        super().__init__([group for optimizer in self.optimizers for group in optimizer.param_groups], {})
        self._share_groups()

    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update all parameters; a closure is not supported."""
        if closure is not None:
            raise ValueError("closure must be None, because two optimisers would evaluate it twice")
        for optimizer in self.optimizers:
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both optimisers."""
        return {str(i): optimizer.state_dict() for i, optimizer in enumerate(self.optimizers)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load the states of both optimisers."""
        for i, optimizer in enumerate(self.optimizers):
            optimizer.load_state_dict(state_dict[str(i)])
        self._share_groups()

    def _share_groups(self) -> None:
        """Let a scheduler that changes the groups of this optimiser change those of the two."""
        self.param_groups = [group for optimizer in self.optimizers for group in optimizer.param_groups]
