"""The dependency graph, and structured pruning on it, under TorchIntegral's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from . import _core
from ._export import example_of, network_of
from ._rebuild import put_tensor, update_attributes


class _Graph:
    """A model with the library's view of it, which follows every cut."""

    def __init__(self, model: nn.Module, source: _core.AnalysedNetwork):
        self.model = model
        self.source = source

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the model's parameters and buffers by name."""
        return dict(self.model.named_parameters(remove_duplicate=False)) | dict(
            self.model.named_buffers(remove_duplicate=False)
        )

    def cut(self, index: int, kept: list[int]) -> None:
        """Keep these channels of a group, in place."""
        own = self.tensors()
        for name, kind, *_ in self.source.network.state:
            if kind == "parameter" and name not in own:
                raise ValueError(f"the model has no parameter {name!r}, which replaces computed weights; use resample()")
        self.source.share_tensors({name: tensor.detach() for name, tensor in own.items()})
        source = self.source.cut(index, kept)
        changed = [(names, tensor) for name, _, tensor, aliases in source.network.state
                   for names in ([name, *aliases],) if name in own and own[name].shape != tensor.shape]
        for names, tensor in changed:
            put_tensor(self.model, [name for name in names if name in own], tensor)
        for name in {name.rpartition(".")[0] for names, _ in changed for name in names if name in own}:
            update_attributes(self.model.get_submodule(name))
        self.source = source


class RelatedGroup:
    """Dimensions of a model's parameters that must have the same size.

    Attributes
    ----------
    name : str
    size : int
        The number of channels that it has now.
    params : list of dict
        ``{"name", "value", "dim"}``: the model's own parameters.
    operations : set of str
    subgroups, parents
        None and empty: parts of concatenations are groups of their own.
    """

    def __init__(self, graph: _Graph, index: int):
        self.graph = graph
        self.index = index
        self.subgroups = None
        self.parents: list[RelatedGroup] = []
        self.tensors: list[dict[str, Any]] = []
        self.operations = {operator.split("::")[-1] for operator in graph.source.operators(index)}

    @property
    def _group(self) -> _core.Group:
        return self.graph.source.groups[self.index]

    @property
    def name(self) -> str:
        return self._group.name

    @property
    def size(self) -> int:
        return self._group.width

    @property
    def members(self) -> list[_core.Member]:
        """Which dimensions of which tensors have its channels, and where."""
        return self._group.members

    @property
    def params(self) -> list[dict[str, Any]]:
        named = dict(self.graph.model.named_parameters(remove_duplicate=False))
        return [
            {"name": member.tensor, "value": named[member.tensor], "dim": member.axis}
            for member in self.members
            if member.tensor in named
        ]

    def count_parameters(self) -> int:
        """Return the number of elements of its parameters."""
        return sum(entry["value"].numel() for entry in self.params)

    def slices(self, member: _core.Member) -> torch.Tensor:
        """Return the slices of a member's tensor for each channel, ``[size, …]``."""
        channel = torch.arange(self.size)[:, None, None] * member.inner
        outer = torch.arange(member.outer)[None, :, None] * member.outer_stride
        inner = torch.arange(member.inner)[None, None, :]
        places = (member.offset + channel + outer + inner).flatten()
        tensor = self.graph.tensors()[member.tensor].detach()
        return tensor.index_select(member.axis, places.to(tensor.device)).movedim(member.axis, 0).reshape(self.size, -1)

    def __str__(self) -> str:
        return "".join(f"{member.tensor}: {member.axis}\n" for member in self.members)

    def __repr__(self) -> str:
        return f"RelatedGroup({self.name!r}, width {self.size})"


class IntegralTracer:
    """Finds the groups of a model.

    Parameters
    ----------
    model : Module
    continuous_dims, discrete_dims : dict, optional
        Dimensions of parameters whose groups are wanted, and not wanted.
    example_input : Tensor or shape, optional
        With a batch or without: ``(3, 28, 28)``. May be given to `build_groups` instead.
    additional_operations, additional_hooks
        Not used: every operator of torch has its rule.
    """

    def __init__(self, model: nn.Module, continuous_dims: Any = None,
                 discrete_dims: Mapping[str, Sequence[int]] | None = None, additional_operations: Any = None,
                 additional_hooks: Any = None, *, example_input: Any = None):
        if continuous_dims is not None and not isinstance(continuous_dims, Mapping):
            continuous_dims, example_input = None, continuous_dims
        self.model = model
        self.continuous_dims = continuous_dims
        self.discrete_dims = discrete_dims or {}
        self.example_input = example_input
        self.groups: list[RelatedGroup] = []

    def build_groups(self, *args: Any) -> list[RelatedGroup]:
        """Return the groups that can be resized.

        Parameters
        ----------
        *args : Tensor or shape
            The model's inputs; by default the example input.
        """
        from .model import _chosen

        example = self.example_input
        if args:
            tensors = [example_of(arg)[0][0] for arg in args]
            example = tuple(tensors)
        source = _core.AnalysedNetwork(network_of(self.model, example))
        names = set(_chosen(source, self.model, self.continuous_dims, self.discrete_dims))
        graph = _Graph(self.model, source)
        self.groups = [
            RelatedGroup(graph, index) for index, group in enumerate(source.groups) if group.name in names
        ]
        return self.groups


Tracer = IntegralTracer  # its name in earlier versions of TorchIntegral


class Pruner:
    """Cuts the least important channels of a group out of the model, in place.

    Subclasses define `importance`.
    """

    def importance(self, group: RelatedGroup, slices: list[torch.Tensor]) -> torch.Tensor:
        """Return a score for each channel, ``[size]``, from the slices ``[size, …]`` of the tensors that produce them."""
        raise NotImplementedError(f"{type(self).__name__} must define importance()")

    def __call__(self, group: RelatedGroup, keep: float) -> torch.Tensor:
        """Keep a fraction of the group's channels, at least one.

        Parameters
        ----------
        group : RelatedGroup
        keep : float
            In (0, 1].

        Returns
        -------
        Tensor
            The channels that were kept, in ascending order.
        """
        if not 0 < keep <= 1:
            raise ValueError(f"keep: must be in (0, 1] but got {keep}")
        own = group.graph.tensors()
        members = [member for member in group.members if member.tensor in own]
        producers = [m for m in members if m.role == "produce" and own[m.tensor].dim() > 1] or members
        scores = self.importance(group, [group.slices(member) for member in producers])
        kept = scores.topk(max(1, round(keep * group.size))).indices.sort().values.cpu()
        group.graph.cut(group.index, kept.tolist())
        return kept


class L1Pruner(Pruner):
    """By the L1 norm of the weights that produce a channel."""

    def importance(self, group: RelatedGroup, slices: list[torch.Tensor]) -> torch.Tensor:
        return torch.stack([part.abs().mean(1) for part in slices]).sum(0)


class FunctionPruner(Pruner):
    """By a function of the slices ``[size, …]``."""

    def __init__(self, score: Callable[[list[torch.Tensor]], torch.Tensor]):
        self.score = score

    def importance(self, group: RelatedGroup, slices: list[torch.Tensor]) -> torch.Tensor:
        return self.score(slices)
