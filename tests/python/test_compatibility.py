"""TorchIntegral's README and examples, as they are written for it."""

import pytest
import torch
import torch_integral as inn
from torch import nn


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_1 = nn.Conv2d(1, 16, 3, padding=1, padding_mode="replicate")
        self.conv_2 = nn.Conv2d(16, 32, 5, padding=2, padding_mode="replicate")
        self.conv_3 = nn.Conv2d(32, 64, 5, padding=2, padding_mode="replicate")
        self.pool = nn.AvgPool2d(2, 2)
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv_1(x)))
        x = self.pool(torch.relu(self.conv_2(x)))
        x = self.pool(torch.relu(self.conv_3(x)))
        return self.linear(x[:, :, 0, 0])


def test_convert_draw_resize_and_discretize(torchvision_models):
    model = torchvision_models.resnet18(weights=None).eval()
    wrapper = inn.IntegralWrapper(init_from_discrete=True)
    continuous_dims = {"layer4.0.conv1.weight": [0], "layer4.1.conv1.weight": [0, 1]}
    inn_model = wrapper(model, (1, 3, 224, 224), continuous_dims)
    x = torch.randn(1, 3, 64, 64)
    assert torch.allclose(inn_model.eval()(x), model(x), atol=1e-3)
    inn_model.groups[0].reset_distribution(inn.UniformDistribution(8, 16))
    inn_model.groups[1].reset_distribution(inn.UniformDistribution(16, 48))
    inn_model.train()(torch.randn(2, 3, 64, 64)).sum().backward()
    inn_model.groups[0].resize(12)
    inn_model.groups[1].resize(16)
    discrete_model = inn_model.tranform_to_discrete()
    assert type(discrete_model) is type(model)
    with torch.no_grad():
        assert torch.allclose(discrete_model.eval()(x), inn_model.eval()(x), atol=1e-4)


def test_groups_and_pruning():
    model = Small().eval()
    x = torch.randn(2, 1, 28, 28)
    groups = inn.IntegralTracer(model, example_input=(1, 28, 28)).build_groups()
    pruner = inn.L1Pruner()
    for group in groups:
        kept = pruner(group, 0.5)
        assert len(kept) == group.size
    assert [group.size for group in groups] == [8, 16, 32]
    assert model.conv_2.weight.shape == (16, 8, 5, 5) and model.linear.in_features == 32
    assert model(x).shape == (2, 10)


def test_pruning_keeps_the_largest_channels():
    torch.manual_seed(0)
    model = Small().eval()
    weight = model.conv_1.weight.detach().clone()
    group = inn.IntegralTracer(model, {"conv_1.weight": [0]}).build_groups((1, 1, 28, 28))[0]
    kept = inn.L1Pruner()(group, 0.25)
    assert set(kept.tolist()) == set(weight.abs().flatten(1).mean(1).topk(4).indices.tolist())
    assert torch.equal(model.conv_1.weight, weight[kept])


def test_integrate():
    from torch_integral.quadrature import SimpsonQuadrature, TrapezoidalQuadrature, integrate

    def function(grid):
        return torch.sin(10 * grid[0])

    grid = [torch.linspace(0, 3.1415, 100)]
    exact = (1 - torch.cos(torch.tensor(31.415))) / 10
    found = integrate(TrapezoidalQuadrature(integration_dims=[0]), function, grid)
    assert found.item() == pytest.approx(torch.trapezoid(function(grid), grid[0]).item(), abs=1e-6)
    assert integrate(SimpsonQuadrature([0]), function, grid).item() == pytest.approx(exact.item(), abs=2e-3)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_legendre_is_exact_for_polynomials_on_any_interval(count):
    from torch_integral.quadrature import LegendreQuadrature, integrate

    nodes = inn.RandomLegendreGrid(inn.UniformDistribution(count, count)).double().eval()()
    degree = 2 * count - 1
    found = integrate(LegendreQuadrature([0]), lambda grid: grid[0] ** (degree - 1) + grid[0] ** degree, [nodes.double()])
    assert found.item() == pytest.approx(2 / degree, abs=1e-5)


def test_the_mnist_example():
    torch.manual_seed(0)
    model = Small()
    continuous_dims = inn.standard_continuous_dims(model)
    continuous_dims.update({"linear.weight": [1], "linear.bias": [], "conv_1.weight": [0]})
    model = inn.IntegralWrapper(init_from_discrete=True)(model, [1, 1, 28, 28], continuous_dims)
    model.reset_distributions([inn.UniformDistribution(*r) for r in [[16, 16], [32, 64], [16, 32]]])
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    model.train()
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(torch.randn(8, 1, 28, 28)), torch.randint(0, 10, (8,))).backward()
        optimizer.step()
    model.resize([16, 32, 16])
    plain = model.transform_to_discrete()
    assert [plain.conv_1.out_channels, plain.conv_2.out_channels, plain.conv_3.out_channels] == [16, 32, 16]
    assert plain(torch.randn(2, 1, 28, 28)).shape == (2, 10)


def test_the_nin_example():
    model = inn.IntegralWrapper(init_from_discrete=True, fuse_bn=True, optimize_iters=0, start_lr=1e-3, verbose=True)(
        Small(), [1, 1, 28, 28], {"conv_3.weight": [0, 1], "conv_3.bias": [0]}
    )
    for group in model.groups:
        if "operator" not in group.operations:
            group.reset_grid(inn.TrainableGrid1D(int(float(group.size) * 0.5)))
    assert 0.2 < model.eval().calculate_compression() < 0.5
    with inn.grid_tuning(model, False, True):
        trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        assert any("grid" in name for name in trained) and any(name.endswith("bias") for name in trained)
        model(torch.randn(2, 1, 28, 28)).sum().backward()


class Edsr(nn.Module):
    """In the manner of EDSR: a shift of the means, residual blocks, upsampling."""

    def __init__(self, width=16):
        super().__init__()
        self.sub_mean = nn.Conv2d(3, 3, 1)
        self.head = nn.Sequential(nn.Conv2d(3, width, 3, padding=1))
        self.body = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1))
            for _ in range(2)
        )
        self.tail = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.Upsample(scale_factor=2),
                                  nn.Conv2d(width, 3, 3, padding=1))
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        x = self.head(self.sub_mean(x))
        for block in self.body:
            x = x + block(x) * 0.1
        return self.tail(x)


def test_the_edsr_example(tmp_path):
    from torch_integral.permutation import NOptOutFiltersPermutation

    torch.manual_seed(0)
    source = Edsr().eval()
    x = torch.randn(2, 3, 12, 12)
    model = inn.IntegralWrapper(
        init_from_discrete=True, permutation_config={"class": NOptOutFiltersPermutation}
    )(source, (1, 3, 32, 32), inn.standard_continuous_dims(source), {"sub_mean.weight": [0, 1], "tail.0.weight": [0]})
    assert torch.allclose(model.eval()(x), source(x), atol=1e-4)
    sizes = {}
    for group in model.groups:
        size = 8 if "operator" not in group.operations else 14
        sizes[group.name] = size
        group.reset_distribution(inn.UniformDistribution(size, 16))
        group.resize(size)
    assert sorted(sizes.values()) == [8, 8, 14]
    model.train()(x).sum().backward()
    torch.save(model.state_dict(), tmp_path / "checkpoint.pt")
    model.load_state_dict(torch.load(tmp_path / "checkpoint.pt"))
    for group in model.groups:
        group.reset_grid(inn.TrainableGrid1D(group.grid_size()))
    model.grid_tuning(False, True, False)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert sum("grid" in name for name in trained) == 3 and not any(name.endswith("weight") for name in trained)
    assert 0.3 < model.eval().calculate_compression() < 0.9
    plain = model.transform_to_discrete()
    assert type(plain) is Edsr and plain.head[0].out_channels == 14
    with torch.no_grad():
        assert torch.allclose(plain(x), model(x), atol=1e-4)


def test_permutations():
    from torch_integral.permutation import NOptPermutation, RandomPermutation, total_variance

    torch.manual_seed(0)
    source = Small().eval()
    x = torch.randn(2, 1, 28, 28)
    for config in ({"class": RandomPermutation}, {"class": NOptPermutation, "iters": 10}):
        model = inn.IntegralWrapper(permutation_config=config)(source, (1, 1, 28, 28))
        assert torch.allclose(model.eval()(x), source(x), atol=1e-5)
    rows = torch.randn(12, 5)
    tensors = [{"name": "w", "value": rows.clone(), "dim": 0}]
    before = total_variance(tensors)
    NOptPermutation()(tensors, [], 12)
    assert total_variance(tensors) < before
