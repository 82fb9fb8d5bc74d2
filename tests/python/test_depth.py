"""Chains of residual blocks: found in modules of others, cut without training."""

import pytest
import torch
import torch_integral as inn
from torch import nn


class Blocks(nn.Module):
    """A small vision transformer by torch's own layers, norms first."""

    def __init__(self, depth=5):
        super().__init__()
        self.stem = nn.Linear(6, 16)
        self.layers = nn.ModuleList(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, norm_first=True) for _ in range(depth))
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(x.mean(1))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Blocks().eval()


def batches(count=4):
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(16, 7, 6, generator=generator) for _ in range(count)]


def test_the_chain_of_a_transformer(model):
    (chain,) = inn.depth_groups(model, torch.randn(2, 7, 6))
    assert chain.name == "layers" and chain.blocks == [f"layers.{k}" for k in range(5)]


def test_without_refit_the_network_is_that_without_the_blocks(model):
    made = inn.cut_depth(model, torch.randn(2, 7, 6), depths={"layers": 3}, calibration=batches(), refit=False)
    (chain,) = made.chains
    assert chain.depth == 3 and len(chain.removed) == 2
    for name in chain.removed:
        model.layers[int(name.split(".")[1])] = nn.Identity()
    x = torch.randn(4, 7, 6)
    with torch.no_grad():
        assert torch.allclose(made.model(x), model(x), atol=1e-5)


def test_refits_lower_the_error_and_errors_choose_better(model):
    cut = {choice: inn.cut_depth(model, torch.randn(2, 7, 6), keep=0.6, calibration=batches(), choice=choice) for choice in ("error", "similarity")}
    for made in cut.values():
        assert made.error_after < made.error_before
    assert cut["error"].error_before <= cut["similarity"].error_before


def test_the_model_is_unchanged_and_wrong_input_is_named(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    inn.cut_depth(model, torch.randn(2, 7, 6), keep=0.4, calibration=batches(1))
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())
    with pytest.raises(ValueError, match="'layers'"):
        inn.cut_depth(model, torch.randn(2, 7, 6), depths={"blocks": 2}, calibration=batches(1))
    with pytest.raises(ValueError, match="from 1 to 5 but got 6"):
        inn.cut_depth(model, torch.randn(2, 7, 6), depths={"layers": 6}, calibration=batches(1))
    with pytest.raises(ValueError, match="keep and depths"):
        inn.cut_depth(model, torch.randn(2, 7, 6), calibration=batches(1))
    with pytest.raises(ValueError, match="no chain"):
        inn.cut_depth(nn.Linear(3, 3), torch.randn(2, 3), keep=0.5, calibration=[torch.randn(2, 3)])
