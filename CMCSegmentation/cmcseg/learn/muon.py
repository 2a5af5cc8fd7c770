"""Muon: every kernel moves equally far in all the directions that its gradient spans.

Jordan et al., *Muon: an optimizer for hidden layers in neural networks*, 2024
(kellerjordan.github.io/posts/muon). The momentum of a kernel, written as a matrix, is replaced by
about the nearest matrix with orthonormal rows; the length of the step is that of Liu et al., *Muon
is scalable for LLM training*, arXiv 2502.16982, so that AdamW's learning rates serve here too.
torch has a Muon since 2.9, but for matrices alone and not in the versions that Slicer may bring.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

NARROW = 16  # kernels with fewer inputs or outputs (stems, most heads) stay with AdamW
MOMENTUM = 0.95
LENGTH = 0.2  # root mean square of AdamW's usual step, in learning rates
TURNS = 5
QUINTIC = (3.4445, -4.7750, 2.0315)  # of Jordan et al.: steepest at 0


class Muon(torch.optim.Optimizer):
    """Muon for the kernels between hidden layers, AdamW for all other weights.

    Args:
        parameters: of a network.
        lr: learning rate of both.
        weight_decay: of both, decoupled.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        every = list(parameters)
        kernels = [p for p in every if is_hidden_kernel(p)]
        rest = [p for p in every if not is_hidden_kernel(p)]
        groups = [{"params": kernels, "hidden": True}, {"params": rest, "hidden": False}]
        groups = [group for group in groups if group["params"]]
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})
        self._adam = torch.optim.AdamW(rest or kernels, lr=lr, weight_decay=weight_decay)

    @torch.no_grad()
    def step(self) -> None:
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            if group["hidden"]:
                for kernel in group["params"]:
                    # What was not asked has no gradient, or one of zeros when processes share
                    # theirs; old momentum would be stretched to a whole step again and again.
                    if kernel.grad is not None and kernel.grad.any():
                        self._move(kernel, group["lr"], group["weight_decay"])
            else:
                # One state and one rate, so that a checkpoint needs to know of one only.
                self._adam.state = self.state
                self._adam.param_groups[0] |= {k: group[k] for k in ("lr", "weight_decay")}
                self._adam.step()

    def _move(self, kernel: nn.Parameter, rate: float, decay: float) -> None:
        momentum = self.state[kernel].setdefault("momentum", torch.zeros_like(kernel))
        momentum.mul_(MOMENTUM).add_(kernel.grad)
        ahead = kernel.grad + MOMENTUM * momentum  # Nesterov's
        turned_RC = orthogonal(ahead.flatten(1).float())
        length = LENGTH * max(turned_RC.shape) ** 0.5
        kernel.mul_(1 - rate * decay)
        kernel.add_(turned_RC.view_as(kernel).to(kernel.dtype), alpha=-rate * length)


def is_hidden_kernel(weight: Tensor) -> bool:
    """Whether a weight leads from one hidden layer to another: two wide axes or more."""
    return weight.ndim >= 2 and min(weight.shape[:2]) >= NARROW


def orthogonal(matrix_RC: Tensor) -> Tensor:
    """About U V^T of the singular value decomposition U S V^T, by Newton and Schulz.

    Args:
        matrix_RC: R rows, C columns, float.

    Returns:
        ``(R, C)``; its singular values lie between 0.6 and 1.3 where those of the matrix were more
        than a 500th of its Frobenius norm. Zeros stay zeros.
    """
    a, b, c = QUINTIC
    x = matrix_RC if matrix_RC.shape[0] <= matrix_RC.shape[1] else matrix_RC.T
    x = x / x.norm().clamp_min(1e-12)
    for _ in range(TURNS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x if matrix_RC.shape[0] <= matrix_RC.shape[1] else x.T
