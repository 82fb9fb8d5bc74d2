"""Any iterable of samples as calibration data."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch.utils import _pytree as pytree

from . import _core


@contextlib.contextmanager
def samples_of_all_ranks() -> Iterator[None]:
    """In a run of torch.distributed, sum over its ranks what is measured in this context: each has samples of its own."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        yield
        return
    group = torch.distributed.group.WORLD
    _core.set_ranks(torch.distributed.get_rank(), torch.distributed.get_world_size(), group.group_name)
    try:
        yield
    finally:
        _core.set_ranks(0, 1, "")


class Samples:
    """Batches of inputs from an iterable of tensors, tuples or dicts.

    Parameters
    ----------
    data : iterable
        Batches: a tensor, a dict of inputs, or a tuple whose first `input_count` tensors are inputs and whose next one, if
        any, are the labels. A DataLoader is one.
    input_count : int
        The number of tensors that the network takes.
    batches : int, optional
        At most this number of batches is used.
    """

    def __init__(self, data: Iterable[Any], input_count: int, batches: int | None = None):
        self.input_count = input_count
        self.batches: list[tuple[list[torch.Tensor], torch.Tensor | None]] = []
        if isinstance(data, (str, bytes)) or not isinstance(data, Iterable):
            raise TypeError(f"data: must be an iterable of batches but got {type(data).__name__}")
        if isinstance(data, torch.Tensor):
            data = data.split(64)
        for batch in data:
            if batches is not None and len(self.batches) >= batches:
                break
            self.batches.append(self._split(batch))
        if not self.batches:
            raise ValueError("data: must have at least one batch but is empty")

    def _split(self, batch: Any) -> tuple[list[torch.Tensor], torch.Tensor | None]:
        labels = None
        if isinstance(batch, Mapping):
            batch = dict(batch)
            labels = batch.pop("labels", None)
        tensors = [leaf for leaf in pytree.tree_leaves(batch) if isinstance(leaf, torch.Tensor)]
        if len(tensors) < self.input_count:
            raise ValueError(
                f"data: the network takes {self.input_count} tensors but a batch has {len(tensors)}"
            )
        if len(tensors) > self.input_count and labels is None:
            labels = tensors[self.input_count]
        return tensors[: self.input_count], labels

    def calibration(self, loss: Callable | None = None, device: torch.device | str = "cpu") -> _core.Calibration:
        """Return them as the library takes them, on a device; `loss` is of outputs and labels, per sample."""

        def batch(index: int):
            if index >= len(self.batches):
                return None
            inputs, labels = self.batches[index]
            return [tensor.to(device) for tensor in inputs], None if labels is None else labels.to(device)

        def of(outputs: list[torch.Tensor], labels: torch.Tensor | None) -> torch.Tensor:
            if labels is None:
                raise ValueError("calibration: this method needs labels, but the batches have none")
            if loss is not None:
                return loss(outputs[0] if len(outputs) == 1 else tuple(outputs), labels)
            return torch.nn.functional.cross_entropy(outputs[0], labels, reduction="none")

        return _core.Calibration(batch, of)
