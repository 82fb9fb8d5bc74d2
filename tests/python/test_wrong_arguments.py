"""Wrong arguments of any kind are Python errors: nothing here may end the process."""

import inspect
import itertools
import random

import pytest
import torch
import torch_integral as inn
from networks import Residual, randomized
from torch_integral import _core

VALUES = [
    None, 3, -1, 10**30, 0.5, float("nan"), "x", b"x", object(), [], {}, [1, 2], {"conv1": 4}, ("conv1",), lambda *_: None,
    torch.zeros(0), torch.randn(2, 3), torch.randn(3, 3, dtype=torch.double), torch.randn(2, 2, dtype=torch.cfloat),
    torch.arange(4), torch.tensor([True]), torch.empty(2, 3, device="meta"), torch.tensor(float("inf")),
    torch.linspace(1, 0, 5), torch.randn(2, 3).to_sparse(), [torch.tensor([0, 1, 2])], [torch.tensor([0, 9])], [None],
    [0, 1, 1, 2, 3], torch.tensor([[0, 1], [2, 7]]),
]  # fmt: skip
CALLS = 60  # of each function


def _call(function, generator):
    arguments = [generator.choice(VALUES) for _ in range(generator.randrange(0, 5))]
    try:
        function(*arguments)
    except Exception:
        pass


def _functions():
    for name in inn.__all__:
        thing = getattr(inn, name)
        if callable(thing):
            yield name, thing
    for module in (inn.utils, inn.permutation, inn.parametrizations, inn.pruning):
        for name, thing in vars(module).items():
            if callable(thing) and getattr(thing, "__module__", "").startswith("torch_integral"):
                yield f"{module.__name__}.{name}", thing
    for name in ("sample_sparse", "sample_sparse_gradient", "transposed_entries", "sample_taps"):
        yield f"torch.ops.inn.{name}", getattr(torch.ops.inn, name)
    for name, thing in vars(_core).items():
        if not name.startswith("__") and callable(thing):
            yield f"_core.{name}", thing


@pytest.mark.parametrize("name,function", list(_functions()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_function_with_any_arguments(name, function, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    generator = random.Random(name)
    for _ in range(CALLS):
        _call(function, generator)


def _objects():
    torch.manual_seed(0)
    source = randomized(Residual())
    model = inn.elastic(source, (2, 3, 8, 8))
    found = inn.analyze(source, (2, 3, 8, 8))
    return [
        model, model.groups[0], model._core, model._core.network, found, found.source, found.groups[0],
        found.groups[0].members[0], inn.IntegralTracer(source, (2, 3, 8, 8)).build_groups()[0], _core.ConvertOptions(),
        _core.Widths(), inn.RandomLinspace(inn.UniformDistribution(2, 4)), inn.TrapezoidalQuadrature([0]),
    ]  # fmt: skip


@pytest.mark.parametrize("index", range(13))
def test_a_method_with_any_arguments(index, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    thing = _objects()[index]
    generator = random.Random(index)
    own = [name for name in dir(type(thing)) if not name.startswith("__")]
    if isinstance(thing, torch.nn.Module):
        own = [name for name in own if name not in dir(torch.nn.Module)] + ["forward"]
    for name in own:
        if isinstance(inspect.getattr_static(type(thing), name), property):
            continue
        for _ in range(CALLS // 3):
            method = getattr(thing, name, None)
            if callable(method):
                _call(method, generator)


def test_the_model_still_runs_after_wrong_tensors():
    model = inn.elastic(randomized(Residual()), (2, 3, 8, 8)).eval()
    x = torch.randn(2, 3, 8, 8)
    expected = model(x)
    for wrong in itertools.chain(VALUES, [torch.randn(2, 4, 8, 8), torch.randn(3, 8, 8, 8, 8)]):
        try:
            model(wrong)
        except Exception:
            pass
    assert torch.equal(model(x), expected)
