"""Shallower networks without training."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from . import _core
from ._export import graph_module, network_of
from ._samples import Samples


@dataclasses.dataclass
class Chain:
    """A chain of residual blocks that are alike but for their parameters.

    Attributes
    ----------
    name : str
        The module that the blocks share.
    blocks : list of str
        Names of its blocks, or after a cut of those that are left.
    removed : list of str
        Of those that a cut removed.
    """

    name: str
    blocks: list[str]
    removed: list[str] = dataclasses.field(default_factory=list)

    @property
    def depth(self) -> int:
        return len(self.blocks)


@dataclasses.dataclass
class Shallower:
    """A network with fewer blocks.

    Attributes
    ----------
    model : torch.fx.GraphModule
    chains : list of Chain
        Those that were cut.
    error_before, error_after : float
        The squared error of the outputs on the samples of the choice, relative to their squares: before the refits, after them.
    """

    model: Any
    chains: list[Chain]
    error_before: float
    error_after: float


def depth_groups(model: Any, example: Any = None) -> list[Chain]:
    """Find the chains of at least two residual blocks of one shape.

    Parameters
    ----------
    model, example
        As `analyze` takes them.
    """
    return [Chain(name, blocks) for name, blocks in _core.depth_groups(network_of(model, example))]


def cut_depth(model: Any, example: Any = None, *, calibration: Iterable[Any], keep: float | None = None,
              depths: Mapping[str, int] | None = None, choice: str = "error", choosing_samples: int = 128, refit: bool = True,
              seed: int = 0) -> Shallower:
    """Remove residual blocks, and fit the layers around the gaps anew, without training or labels.

    Parameters
    ----------
    model, example
        As `analyze` takes them. The model is not changed.
    calibration : iterable
        Batches of inputs.
    keep : float, optional
        Fraction of the blocks of each chain that stay.
    depths : mapping, optional
        Numbers of blocks that stay, by chains' names (`depth_groups`); goes before `keep`.
    choice : {"error", "similarity"}
        Which blocks go: one after another the one without which the outputs change least, or those whose outputs are most like their inputs.
    choosing_samples : int
        Number of samples that the choice looks at.
    refit : bool
        Fit layers before a gap to the source's stream behind it, and those behind to their outputs in the source, by least squares.
    seed : int

    Returns
    -------
    Shallower

    Raises
    ------
    ValueError
        For unknown chains, numbers out of range, and where neither `keep` nor `depths` is given.
    """
    network = network_of(model, example)
    chains = {name: blocks for name, blocks in _core.depth_groups(network)}
    wanted = _core.depths_at(network, keep) if keep is not None else {}
    wanted.update(depths or {})
    if not wanted:
        raise ValueError("one of keep and depths is needed" if chains else "the network has no chain of residual blocks of one shape")
    made = _core.cut_depth(_core.AnalysedNetwork(network), wanted, Samples(calibration, network.input_count).calibration(), choice,
                           choosing_samples, refit, seed)
    cut = [Chain(chain.name, [name for name in chains[chain.name] if name not in chain.removed], list(chain.removed)) for chain in made.chains]
    return Shallower(graph_module(made.network), cut, made.error_before, made.error_after)


__all__ = ["Chain", "Shallower", "cut_depth", "depth_groups"]
