"""Weights as functions of their continuous axes, as parametrizations of torch.nn.utils.parametrize. Subclass `IWeights` for your own.

    layer = torch.nn.Linear(16, 32)
    grid = GridND([ConstantGrid1D(torch.linspace(-1, 1, 20)), ConstantGrid1D(torch.linspace(-1, 1, 16))])
    weights = InterpolationWeights2D(grid, TrapezoidalQuadrature([1]), (32, 16))
    torch.nn.utils.parametrize.register_parametrization(layer, "weight", weights, unsafe=True)
    layer.weight.shape  # [20, 16]
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from . import _core
from .grid import GridND
from .quadrature import BaseIntegrationQuadrature

# TorchIntegral's names of interpolation modes.
_KERNELS = {"bicubic": "cubic", "bilinear": "linear", "linear": "linear", "nearest": "nearest"}


class IWeights(nn.Module):
    """A tensor that is a function of continuous coordinates, sampled at a grid.

    Parameters
    ----------
    grid : GridND
        The points of each continuous axis.
    quadrature : BaseIntegrationQuadrature, optional
        What the sampled weights are multiplied by; None: nothing.
    """

    def __init__(self, grid: GridND, quadrature: BaseIntegrationQuadrature | None = None):
        super().__init__()
        self.grid = grid
        self.quadrature = quadrature

    def reset_quadrature(self, quadrature: BaseIntegrationQuadrature | None) -> None:
        """Replace the quadrature."""
        self.quadrature = quadrature

    def evaluate_function(self, grid: list[torch.Tensor], weight: torch.Tensor) -> torch.Tensor:
        """Return the function with the parameters `weight` at the points of each axis, on [-1, 1]."""
        raise NotImplementedError(f"{type(self).__name__} must define evaluate_function()")

    def init_values(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the parameters with which the function has these values at the source's own points."""
        return weight

    def sample_weights(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the tensor at the current grid, multiplied by the quadrature's weights."""
        points = self.grid()
        sampled = self.evaluate_function(points, weight)
        return sampled if self.quadrature is None else self.quadrature(sampled, points)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return self.sample_weights(weight)

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the parameters for a tensor of the source, whose points are uniform."""
        if self.quadrature is not None:
            points: list[torch.Tensor] = []
            for dim, index in zip(self.quadrature.integration_dims, self.quadrature.grid_indices):
                points.extend(torch.zeros(0) for _ in range(index + 1 - len(points)))
                points[index] = torch.linspace(-1, 1, weight.shape[dim])
            weight = weight / self.quadrature.multiply_coefficients(torch.ones_like(weight), points)
        return self.init_values(weight)


class _Interpolated(IWeights):
    def __init__(self, grid: GridND, quadrature: BaseIntegrationQuadrature | None, sizes: Sequence[int],
                 axes: Sequence[int], discrete_shape: Sequence[int] | None, interpolate_mode: str):
        super().__init__(grid, quadrature)
        if interpolate_mode not in _KERNELS:
            raise ValueError(f"interpolate_mode: must be one of {', '.join(_KERNELS)} but got {interpolate_mode!r}")
        self.kernel = _KERNELS[interpolate_mode]
        self.cont_size = tuple(sizes)
        self.discrete_shape = discrete_shape
        self.axes = tuple(axes)

    def _along(self, points: Sequence[torch.Tensor], weight: torch.Tensor) -> torch.Tensor:
        for axis, at in zip(self.axes, points):
            weight = _core.interpolate(self.kernel, weight, at.double().cpu(), axis)
        return weight

    def evaluate_function(self, grid: list[torch.Tensor], weight: torch.Tensor) -> torch.Tensor:
        return self._along([((points.double() + 1) / 2).clamp(0, 1) for points in grid], weight)

    def init_values(self, weight: torch.Tensor) -> torch.Tensor:
        if tuple(weight.shape[axis] for axis in self.axes) == self.cont_size:
            return weight
        return self._along([torch.linspace(0, 1, size) for size in self.cont_size], weight)


class InterpolationWeights1D(_Interpolated):
    """Interpolated along one axis.

    Parameters
    ----------
    grid, quadrature
        See `IWeights`.
    cont_size : int
        The number of control points.
    discrete_shape : sequence of int, optional
        The sizes of the other axes; not needed.
    cont_dim : int
        The continuous axis.
    interpolate_mode : {"bicubic", "bilinear", "linear", "nearest"}
        Cubic convolution, or simpler.
    padding_mode, align_corners
        Not used: the first and last control points are at -1 and 1, and no point is outside.
    """

    def __init__(self, grid: GridND, quadrature: BaseIntegrationQuadrature | None, cont_size: int,
                 discrete_shape: Sequence[int] | None = None, cont_dim: int = 0, interpolate_mode: str = "bicubic",
                 padding_mode: str = "border", align_corners: bool = True):
        super().__init__(grid, quadrature, (cont_size,), (cont_dim,), discrete_shape, interpolate_mode)
        self.cont_dim = cont_dim


class InterpolationWeights2D(_Interpolated):
    """Interpolated along the first two axes; see `InterpolationWeights1D`. `cont_size` are two numbers."""

    def __init__(self, grid: GridND, quadrature: BaseIntegrationQuadrature | None, cont_size: Sequence[int],
                 discrete_shape: Sequence[int] | None = None, interpolate_mode: str = "bicubic",
                 padding_mode: str = "border", align_corners: bool = True):
        super().__init__(grid, quadrature, cont_size, (0, 1), discrete_shape, interpolate_mode)


# The same here: TorchIntegral's two families differ in torch's function that they call.
GridSampleWeights1D = InterpolationWeights1D
GridSampleWeights2D = InterpolationWeights2D
