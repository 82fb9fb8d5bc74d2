"""Networks of torch as networks of the library."""

from __future__ import annotations

import copy
import io
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.utils import _pytree as pytree

from . import _core


def example_of(example: Any) -> tuple[tuple, dict[str, Any]]:
    """Return positional and keyword arguments of a model for an example input.

    Parameters
    ----------
    example : Tensor, tuple, dict, or a shape
        A tensor is the only argument; a tuple or list of tensors are the arguments, a dict the keyword arguments.
        Integers are the shape of one random tensor: with a batch, ``(1, 3, 224, 224)``, or without: one size, or three as
        of an image, ``(3, 28, 28)``.
    """
    if isinstance(example, torch.Tensor):
        return (example,), {}
    if isinstance(example, Mapping):
        return (), dict(example)
    if isinstance(example, Sequence) and not isinstance(example, str):
        if example and all(isinstance(size, int) for size in example):
            sizes = [int(size) for size in example]
            if len(sizes) in (1, 3):
                sizes = [1, *sizes]
            return (torch.randn(sizes),), {}
        if example and all(isinstance(shape, (tuple, list, torch.Size)) and
                           all(isinstance(size, int) for size in shape) for shape in example):
            return tuple(example_of(shape)[0][0] for shape in example), {}
        return tuple(example), {}
    raise TypeError(
        "example: must be a tensor, a tuple or dict of a model's arguments, or a shape but got "
        f"{type(example).__name__}"
    )


def _batched(args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any], Any, Any] | None:
    """Return the arguments with a batch of two or more, and the dynamic shapes of their batch axis."""
    tensors = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    if not tensors or any(tensor.dim() == 0 for tensor in tensors):
        return None
    size = tensors[0].shape[0]
    if any(tensor.shape[0] != size for tensor in tensors):
        return None

    def enlarged(leaf: Any) -> Any:
        if isinstance(leaf, torch.Tensor) and size == 1:
            return torch.cat([leaf, leaf])
        return leaf

    batch = torch.export.Dim("batch", min=1)

    def dynamic(leaf: Any) -> Any:
        return {0: batch} if isinstance(leaf, torch.Tensor) else None

    args, kwargs = pytree.tree_map(enlarged, (args, kwargs))
    return args, kwargs, pytree.tree_map(dynamic, args), pytree.tree_map(dynamic, kwargs)


def export(model: torch.nn.Module, args: tuple, kwargs: dict[str, Any]) -> torch.export.ExportedProgram:
    """Export a module in evaluation mode, with a dynamic batch where it allows one."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        batched = _batched(args, kwargs)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            if batched is not None:
                larger, named, of_args, of_kwargs = batched
                shapes = (*of_args, *of_kwargs.values()) if not of_kwargs else None
                try:
                    return torch.export.export(
                        model, larger, named, dynamic_shapes=shapes if shapes is not None else (of_args, of_kwargs)
                    )
                except Exception:  # of any kind: the reason is told by the static export below
                    pass
            try:
                return torch.export.export(model, args, kwargs)
            except Exception as error:
                raise ValueError(
                    f"{type(model).__name__} can't be exported by torch.export: {error}\n"
                    "Try one of its submodules (model.backbone), or export it yourself and pass the ExportedProgram."
                ) from error
    finally:
        for module, mode in modes.items():
            module.training = mode


def is_integral(model: Any) -> bool:
    """Whether it is an `IntegralModel`, whose module imports this one."""
    return hasattr(model, "_network_at_source")


def network_of(model: Any, example: Any = None) -> _core.Network:
    """Return the network of a module, an exported program, or a file.

    Parameters
    ----------
    model : Module, IntegralModel, ScriptModule, ExportedProgram or path
        What to read. A module and a script need an example.
    example : optional
        As `example_of` takes it.
    """
    if isinstance(model, _core.Network):
        return model
    if isinstance(model, (str, os.PathLike)):
        examples = [] if example is None else [t for t in example_of(example)[0]]
        return _core.Network.read(os.fspath(model), examples)
    if isinstance(model, torch.export.ExportedProgram):
        program = model
    elif isinstance(model, torch.jit.ScriptModule):
        return _read_script(model, example)
    elif is_integral(model):
        return model._network_at_source()
    elif isinstance(model, torch.nn.Module):
        if example is None:
            raise ValueError("example: a module needs an example of its inputs, a tensor or a shape (1, 3, 224, 224)")
        args, kwargs = example_of(example)
        program = export(model, *_placed(model, args, kwargs))
    else:
        raise TypeError(
            f"model: must be a torch.nn.Module, an ExportedProgram or a path but got {type(model).__name__}"
        )
    return _core.Network.from_archive(_archive_of(program))


def _archive_of(program: torch.export.ExportedProgram) -> bytes:
    """Return a program as the bytes of a .pt2 archive."""
    archive = io.BytesIO()
    try:
        torch.export.save(program, archive)
    except Exception as error:  # of any kind: torch's serializer has several
        # Functions of torch in the graph (torch.vmap, by which transformers makes masks) go where it is traced again.
        try:
            traced = program.run_decompositions({})
            for node in traced.graph.nodes:  # a view is one for the strides of this dtype and device only
                if node.target is torch.ops.aten.view.default:
                    node.target = torch.ops.aten.reshape.default
            archive = io.BytesIO()
            torch.export.save(traced, archive)
        except Exception:
            first = str(error).strip().splitlines()[0]
            raise ValueError(f"torch.export can't write the exported program: {first}") from error
    return archive.getvalue()


def _placed(model: torch.nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Return the arguments on the device of the model's parameters."""
    parameter = next(model.parameters(), None)
    if parameter is None:
        return args, kwargs

    def move(leaf: Any) -> Any:
        return leaf.to(parameter.device) if isinstance(leaf, torch.Tensor) else leaf

    return pytree.tree_map(move, (args, kwargs))


def _read_script(model: torch.jit.ScriptModule, example: Any) -> _core.Network:
    import tempfile

    if example is None:
        raise ValueError("example: a script module needs an example of its inputs")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.pt")
        model.save(path)
        return _core.Network.read(path, list(example_of(example)[0]))


def flat_inputs(args: tuple, kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
    """Return the tensors among a call's arguments, in the order in which an exported network takes them."""
    return [leaf for leaf in pytree.tree_leaves((args, dict(kwargs))) if isinstance(leaf, torch.Tensor)]


def structured(outputs: Sequence[Any], out_spec: str) -> Any:
    """Return a network's outputs in the structure that the source returned."""
    if not out_spec:
        return outputs[0] if len(outputs) == 1 else tuple(outputs)
    return pytree.tree_unflatten(list(outputs), pytree.treespec_loads(out_spec))


def graph_module(network: _core.Network) -> torch.nn.Module:
    """Return the network as torch.export's own GraphModule."""
    program = torch.export.load(io.BytesIO(network.archive()))
    return program.module()


def deep_copy(module: torch.nn.Module) -> torch.nn.Module:
    """Return a copy of a module, without gradients of its parameters."""
    gradients = {name: parameter.grad for name, parameter in module.named_parameters()}
    for parameter in module.parameters():
        parameter.grad = None
    try:
        return copy.deepcopy(module)
    finally:
        for name, parameter in module.named_parameters():
            parameter.grad = gradients[name]
