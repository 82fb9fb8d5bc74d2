import pytest
import torch
from torch.nn.utils import parametrize
from torch_integral import ConstantGrid1D, GridND, TrapezoidalQuadrature
from torch_integral.parametrizations import InterpolationWeights1D, InterpolationWeights2D, IWeights


def uniform(*sizes):
    return GridND([ConstantGrid1D(torch.linspace(-1, 1, size)) for size in sizes])


def test_at_the_sources_points_it_is_the_source():
    layer = torch.nn.Linear(16, 32)
    weight = layer.weight.detach().clone()
    weights = InterpolationWeights2D(uniform(32, 16), TrapezoidalQuadrature([1]), (32, 16))
    parametrize.register_parametrization(layer, "weight", weights, unsafe=True)
    assert torch.allclose(layer.weight, weight, atol=1e-6)


def test_a_smooth_integral_stays_at_any_number_of_points():
    x = torch.linspace(0, 1, 33)
    source = torch.exp(-x)[None] / 32 * torch.tensor([0.5, *[1.0] * 31, 0.5])
    layer = torch.nn.Linear(33, 1, bias=False)
    layer.weight.data = source.clone()
    weights = InterpolationWeights1D(GridND({"0": ConstantGrid1D(torch.linspace(-1, 1, 9))}),
                                     TrapezoidalQuadrature([1], [0]), 33, cont_dim=1)
    parametrize.register_parametrization(layer, "weight", weights, unsafe=True)
    assert layer.weight.shape == (1, 9)
    assert layer.weight.sum().item() == pytest.approx(source.sum().item() , rel=2e-3)
    layer.weight.sum().backward()
    assert dict(layer.named_parameters())["parametrizations.weight.original"].grad.shape == (1, 33)  # pyright: ignore


def test_own_weights():
    class Sines(IWeights):
        def evaluate_function(self, grid, weight):
            return torch.sin(weight[:, None] * grid[0])

    layer = torch.nn.Linear(5, 4, bias=False)
    layer.weight = torch.nn.Parameter(torch.arange(1.0, 5.0))
    parametrize.register_parametrization(layer, "weight", Sines(uniform(7)), unsafe=True)
    assert layer.weight.shape == (4, 7)
    with pytest.raises(ValueError, match="interpolate_mode"):
        InterpolationWeights1D(uniform(7), None, 7, interpolate_mode="sinc")
