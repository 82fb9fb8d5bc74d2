"""One training step of an integral model in a loop of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from . import _core
from ._export import example_of
from ._samples import Samples, samples_of_all_ranks
from .model import IntegralModel


def _passes(rule: str) -> list[float | str]:
    """Return the widths of the passes of one step, the widest first."""
    name, _, numbers = rule.partition(":")
    if name == "random" and not numbers:
        return ["random"]
    if name == "sandwich":
        parts = [part for part in numbers.split(",") if part]
        if len(parts) == 1 and parts[0].isdigit():
            return ["widest", "narrowest", *["random"] * int(parts[0])]
        try:
            fractions = sorted((float(part) for part in parts), reverse=True)
        except ValueError:
            fractions = []
        if fractions and fractions[-1] > 0:
            return list(fractions)
    raise ValueError(
        f"rule: must be 'random', 'sandwich:N' (widest, narrowest and N random widths) or 'sandwich:1,0.75,0.5' "
        f"(these widths) but got {rule!r}"
    )


def elastic_step(model: IntegralModel | nn.parallel.DistributedDataParallel, inputs: Any, targets: Any,
                 loss_function: Callable[[Any, Any], torch.Tensor], rule: str = "sandwich:1",
                 distill: str | None = None, weight: float = 0.5) -> torch.Tensor:
    """Run the forward and backward passes of one step at several widths.

    Zero the gradients before, and call the optimizer's step after it.

    Parameters
    ----------
    model : IntegralModel
        In training mode, with widths (`set_widths`, which `elastic` calls); or that in DistributedDataParallel.
    inputs : Tensor, tuple or dict
        The model's arguments.
    targets
        What `loss_function` compares the outputs with.
    loss_function : callable
        Of outputs and targets; returns a scalar.
    rule : str
        "random"; "sandwich:N": the widest, the narrowest and N random widths; "sandwich:1,0.75,0.5": these.
    distill : {None, "in-place"}
        With "in-place" the narrower passes also learn from the widest's outputs: by the Kullback-Leibler divergence of their
        softmax over the last axis, as `weight` of their loss (Yu and Huang, "Universally slimmable networks", ICCV 2019).
    weight : float
        In [0, 1].

    Returns
    -------
    Tensor
        The mean loss of the passes, without its graph.
    """
    if distill not in (None, "in-place"):
        raise ValueError(f"distill: must be None or 'in-place' but got {distill!r}")
    args, kwargs = example_of(inputs)
    elastic = model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model
    widths = _passes(rule)
    total, teacher = 0.0, None
    for width in widths:
        with elastic.at(width):
            outputs = model(*args, **kwargs)
        loss = loss_function(outputs, targets)
        if distill and teacher is not None:
            distance = nn.functional.kl_div(outputs.log_softmax(-1), teacher, reduction="none").sum(-1).mean()
            loss = (1 - weight) * loss + weight * distance
        elif distill:
            teacher = outputs.detach().softmax(-1)
        (loss / len(widths)).backward()
        total = total + loss.detach() / len(widths)
    return total


def recalibrate(model: IntegralModel, data: Iterable[Any], batches: int | None = None) -> None:
    """Measure the running statistics of batch norms anew, at the source widths, on batches of inputs.

    Parameters
    ----------
    model : IntegralModel
    data : iterable
        Batches of inputs; no labels are needed. In a run of torch.distributed each rank gives its own batches, and all
        get the statistics of all.
    batches : int, optional
        At most this number of them.
    """
    model._share()
    network = model._core.network
    device = next(model.parameters()).device
    samples = Samples(data, network.input_count, batches).calibration(device=device)
    with samples_of_all_ranks():
        _core.recalibrate(network, samples)
