"""How much memory a computation asks for, counted instead of measured, so it never wavers."""

from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        self.numbers += sum(x.numel() for x in tree_leaves(out) if isinstance(x, torch.Tensor))
        return out


def numbers_made(compute: Callable[[], torch.Tensor]) -> int:
    """Elements of all tensors that ``compute`` and its backward pass make, views included."""
    with _Counter() as counter:
        compute().backward()
    return counter.numbers
