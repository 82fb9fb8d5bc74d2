"""Quadrature rules over tensors, under TorchIntegral's names. Subclass `BaseIntegrationQuadrature` for your own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from . import _core


class BaseIntegrationQuadrature(nn.Module):
    """Multiplies a sampled function by quadrature weights.

    Parameters
    ----------
    integration_dims : sequence of int
        The axes of the sampled function that are integrated over.
    grid_indices : sequence of int, optional
        For each, the index of its grid; by default the same number.
    """

    def __init__(self, integration_dims: Sequence[int], grid_indices: Sequence[int] | None = None):
        super().__init__()
        self.integration_dims = list(integration_dims)
        self.grid_indices = list(integration_dims if grid_indices is None else grid_indices)
        if len(self.grid_indices) != len(self.integration_dims):
            raise ValueError(
                f"grid_indices: {len(self.integration_dims)} are needed but got {len(self.grid_indices)}"
            )

    def discretize(self, function: Callable | torch.Tensor, grid: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the function's values on the grid, or the tensor itself."""
        return function if isinstance(function, torch.Tensor) else function(grid)

    def weights(self, points: torch.Tensor) -> torch.Tensor:
        """Return the weight of each of the points ``[m]``, for the interval from the first to the last."""
        raise NotImplementedError(f"{type(self).__name__} must define weights() or multiply_coefficients()")

    def multiply_coefficients(self, discretization: torch.Tensor, grid: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the values multiplied by the weights of their points."""
        for dim, index in zip(self.integration_dims, self.grid_indices):
            weights = self.weights(grid[index]).to(discretization)
            sizes = [1] * discretization.dim()
            sizes[dim] = weights.shape[0]
            discretization = discretization * weights.view(sizes)
        return discretization

    def forward(self, function: Callable | torch.Tensor, grid: Sequence[torch.Tensor]) -> torch.Tensor:
        return self.multiply_coefficients(self.discretize(function, grid), grid)


class _Rule(BaseIntegrationQuadrature):
    """A rule of the library for points on any interval."""

    rule: str

    def weights(self, points: torch.Tensor) -> torch.Tensor:
        if points.shape[0] == 1:
            return torch.ones_like(points)
        length = points[-1] - points[0]
        placed = ((points - points[0]) / length).clamp(0, 1)
        return _core.quadrature_weights(self.rule, placed.double().cpu()).to(points) * length


class TrapezoidalQuadrature(_Rule):
    """The trapezoidal rule: linear between the points."""

    rule = "trapezoid"


class RiemannQuadrature(_Rule):
    """The value of a point times the length of its cell, which ends halfway to its neighbors."""

    rule = "trapezoid"


class SimpsonQuadrature(_Rule):
    """Simpson's rule: a parabola through each three neighbors, at any distances, for odd and even numbers of points."""

    rule = "simpson"


class LegendreQuadrature(BaseIntegrationQuadrature):
    """Gauss-Legendre quadrature, for its own nodes (`RandomLegendreGrid`) on any interval."""

    def weights(self, points: torch.Tensor) -> torch.Tensor:
        nodes, weights = _core.gauss_legendre(points.shape[0])
        nodes, weights = nodes.to(points), weights.to(points)
        length = 2.0 if points.shape[0] == 1 else (points[-1] - points[0]) / (nodes[-1] - nodes[0])
        return weights * length


def integrate(quadrature: BaseIntegrationQuadrature, function: Callable | torch.Tensor,
              grid: Sequence[torch.Tensor]) -> torch.Tensor:
    """Integrate a function over the quadrature's dimensions.

    Parameters
    ----------
    quadrature : BaseIntegrationQuadrature
    function : callable or Tensor
        Gets the grid and returns its values there; or the values.
    grid : sequence of Tensor
        The points of each axis, ``[m]``, increasing.

    Returns
    -------
    Tensor
        The integral, without the axes that were integrated over.
    """
    return quadrature(function, grid).sum(dim=tuple(quadrature.integration_dims))
