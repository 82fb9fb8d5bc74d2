"""Helpers under TorchIntegral's names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from .grid import IGrid


def get_attr_by_name(module: Any, name: str) -> Any:
    """Return ``module.a.b.c`` for "a.b.c"."""
    for part in name.split("."):
        module = getattr(module, part)
    return module


def get_parent_name(qualname: str) -> tuple[str, str]:
    """Return ("a.b", "c") for "a.b.c"."""
    parent, _, name = qualname.rpartition(".")
    return parent, name


def get_parent_module(module: nn.Module, attr_path: str) -> nn.Module:
    """Return the module that has the attribute with this path."""
    parent, _ = get_parent_name(attr_path)
    return get_attr_by_name(module, parent) if parent else module


def standard_continuous_dims(model: nn.Module) -> dict[str, list[int]]:
    """Return both channel axes of every linear and convolutional weight, and the axis of their biases, by name."""
    dims = {}
    for name, _ in model.named_parameters():
        layer = get_parent_module(model, name)
        leaf = get_parent_name(name)[1]
        if isinstance(layer, (nn.Linear, nn.modules.conv._ConvNd)):
            dims[name] = [0, 1] if leaf == "weight" else [0]
    return dims


base_continuous_dims = standard_continuous_dims  # its name in earlier versions of TorchIntegral


@contextlib.contextmanager
def grid_tuning(integral_model: Any, train_bn: bool = False, train_bias: bool = False,
                use_all_grids: bool = False) -> Iterator[None]:
    """Train only the points of grids in this context, see `IntegralModel.grid_tuning`.

    Afterwards the points are fixed and the other parameters are trained as before.
    """
    before = {parameter: parameter.requires_grad for parameter in integral_model.parameters()}
    integral_model.grid_tuning(train_bn, train_bias, use_all_grids)
    try:
        yield
    finally:
        of_grids = {
            id(parameter)
            for module in integral_model.modules()
            if isinstance(module, IGrid)
            for parameter in module.parameters()
        }
        for parameter in integral_model.parameters():
            parameter.requires_grad_(id(parameter) not in of_grids and before.get(parameter, True))


def fuse_batchnorm(model: nn.Module, *_: Any) -> nn.Module:
    """Return a copy of the model, in evaluation mode, with batch norms folded into the convolutions before them."""
    from torch.fx.experimental.optimization import fuse

    return fuse(model.eval())


def reset_batchnorm(model: nn.Module) -> None:
    """Put new batch norms in the place of folded ones: of identities that follow a convolution."""
    graph = torch.fx.symbolic_trace(model)
    modules = dict(model.named_modules())
    norms = {nn.Conv1d: nn.BatchNorm1d, nn.Conv2d: nn.BatchNorm2d, nn.Conv3d: nn.BatchNorm3d}
    for node in graph.graph.nodes:
        if node.op != "call_module" or not isinstance(modules[node.target], nn.Identity):
            continue
        before = node.args[0]
        layer = modules.get(before.target) if before.op == "call_module" else None
        if type(layer) in norms:
            setattr(get_parent_module(model, node.target), get_parent_name(node.target)[1],
                    norms[type(layer)](layer.out_channels))


def remove_parametrizations(model: nn.Module) -> dict[str, list[tuple[str, Any]]]:
    """Remove all parametrizations, leaving the values of their tensors; return them for `reapply_parametrizations`."""
    removed: dict[str, list[tuple[str, Any]]] = {}
    for name, module in list(model.named_modules()):
        if not parametrize.is_parametrized(module):
            continue
        for tensor in list(module.parametrizations.keys()):
            removed.setdefault(name, []).append((tensor, list(module.parametrizations[tensor])))
            parametrize.remove_parametrizations(module, tensor, leave_parametrized=True)
    return removed


def reapply_parametrizations(model: nn.Module, parametrized_modules: dict[str, list[tuple[str, Any]]],
                             unsafe: bool = True) -> None:
    """Put parametrizations back that `remove_parametrizations` removed."""
    for name, tensors in parametrized_modules.items():
        for tensor, parametrizations in tensors:
            for one in parametrizations:
                parametrize.register_parametrization(model.get_submodule(name), tensor, one, unsafe=unsafe)
