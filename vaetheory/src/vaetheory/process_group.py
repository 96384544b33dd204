"""Means over the parts of a batch that several processes hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


def mean_over_processes(mean: Tensor, count: int, group: ProcessGroup | None) -> Tensor:
    """Mean over a batch of which each process of a group holds a part.

    Every process gets the same result. On the way back the gradients of the processes are summed:
    if all compute one and the same value from the result, and what each gets for its parameters is
    then averaged over the processes, as `DistributedDataParallel` does, that is the gradient of the
    value.

    Parameters
    ----------
    mean : Tensor, any shape
        The mean over this process's part.
    count : int
        Number of samples in this process's part; it may differ between processes.
    group : torch.distributed.ProcessGroup or None
        None if this process holds the whole batch.

    Returns
    -------
    Tensor, shape of the mean
    """
    if group is None:
        return mean
    # Imported here, because there are builds of PyTorch without it.
    from torch.distributed.nn import functional

    part = torch.cat([count * mean.flatten(), mean.new_tensor([count])])
    all_reduce: Callable[..., Tensor] = functional.all_reduce
    whole = all_reduce(part, group=group)
    return (whole[:-1] / whole[-1]).reshape(mean.shape)
