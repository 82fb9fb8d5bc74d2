"""Grids: points at which the channels of a group are sampled, and distributions of their numbers.

Points are on [-1, 1], as in TorchIntegral; the library's own are on [0, 1]. Subclass `IGrid` and `Distribution` for your own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from . import _core


_of_all_ranks = random.Random(0)


def _random() -> Any:
    """Return what draws widths and points: Python's own generator, or, in a run of torch.distributed, one that draws the
    same on all ranks, whatever seeds these have."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return _of_all_ranks
    return random


class Distribution(nn.Module):
    """A distribution of widths from `min_val` to `max_val`. Subclasses define `sample`."""

    def __init__(self, min_val: int, max_val: int):
        super().__init__()
        if not 1 <= min_val <= max_val:
            raise ValueError(f"widths must be 1 ≤ min_val ≤ max_val but got {min_val}, {max_val}")
        self.min_val = int(min_val)
        self.max_val = int(max_val)

    def sample(self) -> int:
        """Return a random width."""
        raise NotImplementedError(f"{type(self).__name__} must define sample()")


class UniformDistribution(Distribution):
    """Every width from `min_val` to `max_val` is as likely."""

    def sample(self) -> int:
        return _random().randint(self.min_val, self.max_val)


class NormalDistribution(Distribution):
    """Half of a normal distribution below `max_val`, with half the range as standard deviation.

    Widths below `min_val` are drawn again (TorchIntegral returns them).
    """

    def sample(self) -> int:
        while True:
            width = self.max_val - int(abs(_random().normalvariate(0, 0.5 * (self.max_val - self.min_val))))
            if width >= self.min_val:
                return width


class IGrid(nn.Module):
    """Points on [-1, 1]. Subclasses define `generate_grid`, which sets and returns `curr_grid`."""

    curr_grid: torch.Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.curr_grid = None
        self.eval_size: int | None = None

    def forward(self) -> torch.Tensor:
        """Return the current points, ``[size]``."""
        return self.generate_grid() if self.curr_grid is None else self.curr_grid

    def ndim(self) -> int:
        """Return the number of dimensions."""
        return 1

    def size(self) -> int:
        """Return the number of points in evaluation mode."""
        return int(self.forward().shape[0]) if self.eval_size is None else self.eval_size

    def generate_grid(self) -> torch.Tensor:
        """Make the points of the next forward pass."""
        raise NotImplementedError(f"{type(self).__name__} must define generate_grid()")


class ConstantGrid1D(IGrid):
    """Given points.

    Parameters
    ----------
    init_value : Tensor
        ``[m]``, increasing, in [-1, 1].
    """

    def __init__(self, init_value: torch.Tensor):
        super().__init__()
        del self.curr_grid
        self.register_buffer("curr_grid", init_value)

    def generate_grid(self) -> torch.Tensor:
        return self.forward()


class TrainableGrid1D(IGrid):
    """Points that are parameters.

    Parameters
    ----------
    size : int
    init_value : Tensor, optional
        ``[size]``, increasing, in [-1, 1]; by default uniform.
    """

    def __init__(self, size: int, init_value: torch.Tensor | None = None):
        super().__init__()
        if init_value is None:
            init_value = torch.linspace(-1, 1, size) if size > 1 else torch.zeros(1)
        if tuple(init_value.shape) != (size,):
            raise ValueError(f"init_value must be [{size}] but is {list(init_value.shape)}")
        self.eval_size = size
        self.curr_grid = nn.Parameter(init_value.detach().clone())

    def generate_grid(self) -> torch.Tensor:
        return self.forward()


class TrainableDeltasGrid1D(IGrid):
    """Points from -1 to 1 whose distances are parameters, so that they always increase.

    Parameters
    ----------
    size : int
    """

    def __init__(self, size: int):
        super().__init__()
        if size < 2:
            raise ValueError(f"size must be at least 2 but is {size}")
        self.eval_size = size
        self.deltas = nn.Parameter(torch.zeros(size - 1))
        self.generate_grid()

    def generate_grid(self) -> torch.Tensor:
        steps = torch.softmax(self.deltas, 0).cumsum(0)
        self.curr_grid = 2 * torch.cat([steps.new_zeros(1), steps]).clamp(max=1) - 1
        return self.curr_grid


class RandomLinspace(IGrid):
    """Equidistant points whose number is drawn in training mode.

    Parameters
    ----------
    size_distribution : Distribution
    noise_std : float
        In training mode, normal noise of this standard deviation is added to the inner points, whose order stays.
    """

    def __init__(self, size_distribution: Distribution, noise_std: float = 0.0):
        super().__init__()
        self.distribution = size_distribution
        self.eval_size = size_distribution.max_val
        self.noise_std = noise_std
        self.generate_grid()

    def draw_size(self) -> int:
        """Return the number of points of the next forward pass."""
        return self.distribution.sample() if self.training else self.size()

    def generate_grid(self) -> torch.Tensor:
        size = self.draw_size()
        points = torch.linspace(-1, 1, size) if size > 1 else torch.zeros(1)
        if self.training and self.noise_std > 0 and size > 2:
            generator = torch.Generator().manual_seed(_random().getrandbits(63))
            points[1:-1] += self.noise_std * torch.randn(size - 2, generator=generator)
            points = points.clamp(-1, 1).sort().values
        self.curr_grid = points
        return points

    def resize(self, new_size: int) -> None:
        """Set the number of points in evaluation mode."""
        self.eval_size = int(new_size)
        training, self.training = self.training, False
        self.generate_grid()
        self.training = training


class RandomLegendreGrid(RandomLinspace):
    """The nodes of Gauss-Legendre quadrature, in a number that is drawn in training mode."""

    def generate_grid(self) -> torch.Tensor:
        nodes, _ = _core.gauss_legendre(self.draw_size())
        self.curr_grid = (2 * nodes - 1).to(torch.float32)
        return self.curr_grid


class CompositeGrid1D(IGrid):
    """Grids side by side, each on a part of [-1, 1] in proportion to its size."""

    def __init__(self, grids: Sequence[IGrid]):
        super().__init__()
        self.grids = nn.ModuleList(grids)
        self.proportions = [grid.size() / self.size() for grid in grids]
        self.generate_grid()

    def size(self) -> int:
        return sum(grid.size() for grid in self.grids)

    def reset_grid(self, index: int, new_grid: IGrid) -> None:
        """Replace the grid of one part."""
        self.grids[index] = new_grid
        self.generate_grid()

    def generate_grid(self) -> torch.Tensor:
        parts, start = [], 0.0
        for index, (grid, proportion) in enumerate(zip(self.grids, self.proportions)):
            points = (grid.generate_grid() + 1) / 2
            if index + 1 < len(self.grids):
                points = points * (points.shape[0] / (points.shape[0] + 1))
            parts.append(start + points * proportion)
            start += proportion
        self.curr_grid = 2 * torch.cat(parts) - 1
        return self.curr_grid


class MultiTrainableGrid1D(CompositeGrid1D):
    """Trainable points in several parts.

    Parameters
    ----------
    sizes : sequence of int
        The number of points of each part.
    """

    def __init__(self, sizes: Sequence[int]):
        super().__init__([TrainableDeltasGrid1D(size) for size in sizes])


class L1Grid1D(IGrid):
    """The points of the channels with the largest L1 norms.

    Parameters
    ----------
    tensors : sequence of dict
        ``{"value": tensor, "dim": axis}`` of each tensor with the group's channels.
    size : int
        How many channels are kept.
    """

    def __init__(self, tensors: Sequence[Mapping], size: int):
        super().__init__()
        norms: torch.Tensor | None = None
        for entry in tensors:
            rows = entry["value"].detach().transpose(0, entry["dim"]).flatten(1) if entry["value"].dim() > 1 else \
                entry["value"].detach()[:, None]
            norms = rows.abs().sum(1) if norms is None else norms + rows.abs().sum(1)
        if norms is None:
            raise ValueError("tensors: at least one tensor is needed")
        kept = norms.topk(size).indices.sort().values
        self.eval_size = size
        del self.curr_grid
        self.register_buffer("curr_grid", torch.linspace(-1, 1, norms.shape[0])[kept.cpu()])

    def generate_grid(self) -> torch.Tensor:
        return self.forward()


class GridND(IGrid):
    """One grid for each axis."""

    def __init__(self, grid_objects: Mapping[str, IGrid] | Sequence[IGrid]):
        super().__init__()
        named = grid_objects if isinstance(grid_objects, Mapping) else {
            str(axis): grid for axis, grid in enumerate(grid_objects)
        }
        self.grid_objects = nn.ModuleDict({str(axis): grid for axis, grid in named.items()})

    def ndim(self) -> int:
        return sum(grid.ndim() for grid in self.grid_objects.values())

    def reset_grid(self, dim: int, new_grid: IGrid) -> None:
        """Replace the grid of one axis."""
        self.grid_objects[str(dim)] = new_grid

    def size(self) -> int:
        return math.prod(grid.size() for grid in self.grid_objects.values())

    def generate_grid(self) -> list[torch.Tensor]:  # type: ignore[override]
        return [grid.generate_grid() for grid in self.grid_objects.values()]

    def forward(self) -> list[torch.Tensor]:  # type: ignore[override]
        return [grid() for grid in self.grid_objects.values()]

    def __iter__(self) -> Iterator[IGrid]:
        return iter(self.grid_objects.values())


RandomUniformGrid1D = RandomLinspace  # its name in earlier versions of TorchIntegral
