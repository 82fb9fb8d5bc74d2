"""Orders of channels that make weights smooth. Subclass `BasePermutation` for your own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from . import _core


def _rows(entry: Mapping[str, Any], size: int) -> torch.Tensor:
    """Return the channels of one tensor as rows, ``[size, …]``."""
    start = entry.get("start_index", 0)
    tensor = entry["value"].detach().movedim(entry["dim"], 0)
    return tensor[start : start + size].flatten(1) if tensor.dim() > 1 else tensor[start : start + size, None]


def total_variance(tensors: Sequence[Mapping[str, Any]]) -> torch.Tensor:
    """Return the sum over tensors of the mean distance of neighboring channels.

    Parameters
    ----------
    tensors : sequence of dict
        ``{"value": tensor, "dim": axis}``.
    """
    total = torch.zeros(())
    for entry in tensors:
        rows = entry["value"].movedim(entry["dim"], 0)
        total = total + (rows[1:] - rows[:-1]).abs().mean()
    return total


class BasePermutation:
    """Permutes the channels of a group in all of its tensors. Subclasses define `find_permutation`."""

    def __call__(self, params: Sequence[Mapping[str, Any]], feature_maps: Sequence[Mapping[str, Any]],
                 size: int) -> None:
        order = self.find_permutation(params, feature_maps, size)
        for entry in params:
            tensor, dim, start = entry["value"], entry["dim"], entry.get("start_index", 0)
            with torch.no_grad():
                part = tensor.narrow(dim, start, size)
                part.copy_(part.index_select(dim, torch.as_tensor(order, device=tensor.device)))

    def find_permutation(self, params: Sequence[Mapping[str, Any]], feature_maps: Sequence[Mapping[str, Any]],
                         size: int) -> torch.Tensor:
        """Return the order of the channels, ``[size]`` integers."""
        raise NotImplementedError(f"{type(self).__name__} must define find_permutation()")


class RandomPermutation(BasePermutation):
    """A random order."""

    def find_permutation(self, params, feature_maps, size):
        return torch.randperm(size)


class NOptPermutation(BasePermutation):
    """The order with the smallest total variation that a local search finds (a shortest Hamiltonian path).

    Parameters
    ----------
    iters : int
        Not used: the library's search sets its own number of steps by the number of channels.
    threshold : float
        Not used.
    verbose : bool
        Not used.
    """

    def __init__(self, iters: int = 100, threshold: float = 0.001, verbose: bool = True):
        self.iters = iters
        self.threshold = threshold
        self.verbose = verbose

    def find_permutation(self, params, feature_maps, size):
        rows = [_rows(entry, size) for entry in self._select_tensors(params, feature_maps)]
        return torch.tensor(_core.shortest_path(_core.path_cost(rows)))

    def _select_tensors(self, params, feature_maps):
        """Return the tensors whose variation is made small."""
        return params


class NOptOutFiltersPermutation(NOptPermutation):
    """The same for the output channels of weights only."""

    def _select_tensors(self, params, feature_maps):
        return [entry for entry in params if "bias" not in entry["name"] and entry["dim"] == 0] or params


class NOoptFeatureMapPermutation(NOptPermutation):
    """The same for feature maps, where there are any, else for the weights."""

    def _select_tensors(self, params, feature_maps):
        maps = [entry for entry in feature_maps if entry.get("operation") == "conv_linear"]
        return maps or list(feature_maps) or params
