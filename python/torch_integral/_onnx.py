"""Networks as ONNX models."""

from __future__ import annotations

import io
import os
from typing import Any

import torch

from ._export import network_of


def load_onnx(path: str | os.PathLike, example: Any = None) -> torch.export.ExportedProgram:
    """Read an ONNX model (opset 11 to 23) as a program of torch.

    Its ``module()`` computes what the model computes, and can be trained. Every function that takes a model takes the path as well.

    Parameters
    ----------
    path : path
        Of the file, `.onnx`. Weights in other files must be in its folder or below it.
    example : optional
        A shape, or an example, of each input: for models whose sizes are open besides the batch.

    Returns
    -------
    ExportedProgram
        With the model's names of inputs and weights. Sizes that the model leaves open are dynamic where all sizes of the network are
        sums of products of them.

    Raises
    ------
    ValueError
        For what is not supported, by the node's name.
    RuntimeError
        For a file that is missing or not a valid model.
    """
    return torch.export.load(io.BytesIO(network_of(path, example).archive()))


def save_onnx(model: Any, path: str | os.PathLike, example: Any = None, *, opset: int = 20, fold_batch_norm: bool = False) -> None:
    """Write a network as an ONNX model.

    The model computes what the network computes in evaluation mode. A batch axis that torch.export can make dynamic is dynamic. Names of inputs
    and parameters are kept. Weights of more than 1 GB go to a second file, ``path.data``. The file is written atomically.

    Parameters
    ----------
    model : Module, ExportedProgram, or path of a .pt2 or TorchScript file
    path : path
        Of the file to write, `.onnx`.
    example : optional
        An example input of a module or script, as `analyze` takes it.
    opset : int
        Version of ONNX's operators, 18 to 23.
    fold_batch_norm : bool
        Fold batch norms into the layers before them.

    Raises
    ------
    ValueError
        For an operator that can't be written, by its name and module.
    """
    network = network_of(model, example)
    if fold_batch_norm:
        network.train(False)
        network = network.fold_batch_norm()
    network.write_onnx(os.fspath(path), opset)
