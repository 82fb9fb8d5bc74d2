import copy
import io
import pickle

import pytest
import torch
import torch_integral as inn
from networks import Named, Residual, randomized
from torch import nn


@pytest.fixture
def source():
    torch.manual_seed(1)
    return randomized(Residual())


@pytest.fixture
def model(source):
    return inn.elastic(source, (2, 3, 8, 8)).eval()


X = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(7))


def test_it_equals_the_source_at_its_widths(source, model):
    assert torch.allclose(model(X), source(X), atol=1e-5)


def test_it_has_the_sources_parameters(source, model):
    named = dict(model.named_parameters())
    assert named.keys() == dict(source.named_parameters()).keys()
    assert all(named[name].shape == tensor.shape for name, tensor in source.named_parameters())


def test_resizing_gives_plain_models_with_equal_outputs(model):
    model.resize(0.5)
    assert [group.grid_size() for group in model.groups] == [4, 8]
    plain = model.transform_to_discrete()
    assert type(plain) is Residual and plain.conv1.out_channels == 8
    with torch.no_grad():
        assert torch.allclose(model(X), plain(X), atol=1e-5)


def test_gradients_are_those_of_finite_differences(source):
    model = inn.elastic(source.double(), torch.randn(2, 3, 8, 8, dtype=torch.double), widths="").eval()
    model.resize(0.5)
    weight = dict(model.named_parameters())["conv1.weight"]
    x = X.double()
    model(x).pow(2).sum().backward()
    step = 1e-6
    for index in [(0, 0, 0, 0), (7, 3, 1, 2)]:
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[index] += sign * step
                values.append(model(x).pow(2).sum())
                weight[index] -= sign * step
        assert weight.grad is not None and weight.grad[index].item() == pytest.approx((values[0] - values[1]).item() / (2 * step), rel=1e-4, abs=1e-6)


def test_it_trains_at_random_widths_with_any_optimizer(model):
    model.train()
    labels = torch.arange(4)
    seen = set()
    for optimizer in (torch.optim.SGD(model.parameters(), 0.01), torch.optim.AdamW(model.parameters(), 0.01)):
        for _ in range(10):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(X), labels)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1)
            optimizer.step()
            seen.add(model._core.width(1))
    assert len(seen) > 3
    model.eval()
    assert torch.isfinite(model(X)).all() and model._core.width(1) == 16


def test_it_learns(model):
    torch.manual_seed(0)
    labels = torch.arange(4)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    with model.at(1.0):
        first = nn.functional.cross_entropy(model(X), labels).item()
        for _ in range(30):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(X), labels).backward()
            optimizer.step()
        assert nn.functional.cross_entropy(model(X), labels).item() < 0.5 * first


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_independent(model, copied):
    model.resize(0.5)
    other = copied(model)
    before = model(X)
    assert torch.equal(other(X), before)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(0.5)
    assert torch.equal(model(X), before)
    assert not torch.allclose(other(X), before)


def test_a_copy_draws_widths_too(model):
    other = pickle.loads(pickle.dumps(model)).train()
    seen = set()
    for _ in range(20):
        other(X)
        seen.add(other._core.width(1))
    assert len(seen) > 3
    with other.at(0.5):
        other(X)
    assert other._core.width(1) == 8


def test_a_distribution_of_a_group_ends_the_fractions_of_all(model):
    model.groups[1].reset_distribution(inn.UniformDistribution(5, 6))
    model.train()
    for _ in range(5):
        model(X)
        assert model._core.width(1) in (5, 6) and model._core.width(0) == 8


def test_state_dicts_and_saves(source, model):
    other = inn.elastic(randomized(Residual(), 5), (2, 3, 8, 8), order="none").eval()
    buffer = io.BytesIO()
    torch.save(model.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(other(X), model(X))
    other.resize(0.5)
    model.resize(0.5)
    assert torch.equal(other(X), model(X))


def test_dtypes_follow(model):
    model.resize(0.5)
    expected = model(X)
    double = copy.deepcopy(model).double()
    assert double(X.double()).dtype == torch.double
    assert torch.allclose(double(X.double()).float(), expected, atol=1e-4)
    assert copy.deepcopy(model).to(torch.bfloat16)(X.bfloat16()).dtype == torch.bfloat16


def test_files_are_read_again(model, tmp_path):
    model.resize(0.5)
    model.save(tmp_path / "model.pt2")
    with torch.no_grad():
        plain = torch.export.load(tmp_path / "model.pt2").module()
        assert torch.allclose(plain(X), model(X), atol=1e-5)


def test_keyword_inputs_and_structured_outputs():
    torch.manual_seed(0)
    source = Named().eval()
    example = {"tokens": torch.randint(0, 11, (2, 4)), "scale": torch.rand(2)}
    model = inn.elastic(source, example).eval()
    made, expected = model(**example), source(**example)
    assert made.keys() == expected.keys()
    assert all(torch.allclose(made[name], expected[name], atol=1e-5) for name in expected)


def test_two_threads_run_two_models(model):
    from concurrent.futures import ThreadPoolExecutor

    other = copy.deepcopy(model)
    other.resize(0.5)
    expected = [model(X), other(X)]
    with torch.no_grad(), ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            made = list(pool.map(lambda m: m(X), [model, other]))
            assert all(torch.allclose(a, b) for a, b in zip(made, expected))


def test_own_grids_and_distributions(source):
    model = inn.IntegralWrapper(fuse_bn=False)(source, (1, 3, 8, 8))

    class Squares(inn.IGrid):
        def generate_grid(self):
            self.curr_grid = 2 * torch.linspace(0, 1, 6) ** 2 - 1
            return self.curr_grid

    class Always7(inn.Distribution):
        def sample(self):
            return 7

    group = next(group for group in model.groups if group.name == "conv1")
    group.reset_distribution(Always7(1, 16))
    model.train()(X)
    assert model._core.width(group.index) == 7
    group.reset_grid(Squares())
    model.eval()(X)
    assert model._core.width(group.index) == 6
    assert torch.allclose(model._core.points(group.index), torch.linspace(0, 1, 6).double() ** 2, atol=1e-6)


def test_grid_tuning_moves_points_alone(source):
    model = inn.IntegralWrapper(fuse_bn=False)(source, (1, 3, 8, 8))
    for group in model.groups:
        group.reset_grid(inn.TrainableDeltasGrid1D(group.size // 2))
    weights = {name: p.detach().clone() for name, p in model.named_parameters() if not name.startswith("groups")}
    with inn.grid_tuning(model):
        optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 0.1)
        for _ in range(3):
            optimizer.zero_grad()
            model(X).pow(2).sum().backward()
            optimizer.step()
    points = model._core.points(0)
    assert not torch.allclose(points, torch.linspace(0, 1, len(points)).double())
    assert all(torch.equal(p, weights[name]) for name, p in model.named_parameters() if name in weights)
    assert all(p.requires_grad == (name in weights) for name, p in model.named_parameters())


def test_errors(source, model):
    with pytest.raises(ValueError, match="width"):
        model.groups[0].resize(0)
    with pytest.raises(ValueError):
        model.resize([4, 10**6])
    with pytest.raises(ValueError, match="no tensor 'nothing.weight'"):
        inn.IntegralWrapper()(source, (1, 3, 8, 8), {"nothing.weight": [0]})
    with pytest.raises(ValueError, match="no group can be resized"):
        inn.IntegralWrapper()(source, (1, 3, 8, 8), {"head.weight": [0]})
    with pytest.raises((TypeError, ValueError, RuntimeError)):
        model("not a tensor")


@pytest.mark.parametrize("rule", ["random", "sandwich:1", "sandwich:1,0.75,0.5"])
@pytest.mark.parametrize("distill", [None, "in-place"])
def test_elastic_steps_learn_at_every_width(model, rule, distill):
    torch.manual_seed(0)
    labels = torch.arange(4)
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        losses.append(inn.elastic_step(model, X, labels, nn.functional.cross_entropy, rule=rule, distill=distill).item())
        optimizer.step()
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    with pytest.raises(ValueError, match="rule"):
        inn.elastic_step(model, X, labels, nn.functional.cross_entropy, rule="sandwich")


def test_a_step_is_the_mean_of_its_passes(model):
    model.train()
    labels = torch.arange(4)
    inn.elastic_step(model, X, labels, nn.functional.cross_entropy, rule="sandwich:1,0.5")
    made = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    for width in (1.0, 0.5):
        with model.at(width):
            (nn.functional.cross_entropy(model(X), labels) / 2).backward()
    assert all(torch.allclose(parameter.grad, made[name], atol=1e-5) for name, parameter in model.named_parameters())


def test_recalibration_measures_the_statistics_of_the_data(source, model):
    data = [torch.randn(5, 3, 8, 8) for _ in range(3)]
    inn.recalibrate(model, data)
    with torch.no_grad():
        seen = source.stem(torch.cat(data)).transpose(0, 1).flatten(1)
    state = model.state_dict()
    assert torch.allclose(state["bn.running_mean"].sort().values, seen.mean(1).sort().values, atol=1e-5)
    assert torch.allclose(state["bn.running_var"].sort().values, seen.var(1).sort().values, atol=1e-4)


def test_compiled_models(source, model):
    x = torch.randn(2, 3, 8, 8)
    model.eval().resize(0.5)
    explained = torch._dynamo.explain(model)(x)
    assert explained.graph_break_count <= 1
    torch._dynamo.reset()
    with torch.no_grad():
        assert torch.allclose(torch.compile(model, backend="aot_eager")(x), model(x), atol=1e-5)
        plain = model.transform_to_discrete()
        assert torch.allclose(torch.compile(plain, fullgraph=True, backend="aot_eager")(x), model(x), atol=1e-5)
        program = torch.export.export(plain, (x,))
        assert torch.allclose(program.module()(x), model(x), atol=1e-5)
    torch._dynamo.reset()


def test_mixed_precision_checkpoints_hooks_and_clipping(source, model):
    from torch.utils.checkpoint import checkpoint

    x = torch.randn(2, 3, 8, 8)
    model.train().clear_widths()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = model(x)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) > 0
    model.eval()
    model.zero_grad()
    model(x).square().sum().backward()
    expected = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    checkpoint(model, x, use_reentrant=False).square().sum().backward()
    assert all(torch.allclose(p.grad, e, atol=1e-6) for p, e in zip(model.parameters(), expected))
    seen = []
    model.register_forward_pre_hook(lambda module, args: seen.append("before"))
    model.register_forward_hook(lambda module, args, output: seen.append(tuple(output.shape)))
    y = model(x)
    assert seen == ["before", tuple(y.shape)]


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "LBFGS"])
def test_every_optimizer(model, name):
    model.train()
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=1e-3)
    x = torch.randn(4, 3, 8, 8)
    before = [p.detach().clone() for p in model.parameters()]

    def step():
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        return loss

    optimizer.step(step)
    assert any(not torch.equal(a, b) for a, b in zip(before, model.parameters()))
