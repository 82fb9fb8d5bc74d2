"""Rules of custom operators, written in Python."""

from typing import Any

import pytest
import torch
import torch_integral as inn
from torch import nn


@torch.library.custom_op("inn_tests::scale", mutates_args=())
def scale(x: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    return x * factor


@scale.register_fake
def _(x, factor):
    return torch.empty_like(x)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 12), nn.Linear(12, 4)
        self.factor = nn.Parameter(torch.rand(12) + 0.5)

    def forward(self, x):
        return self.second(scale(torch.relu(self.first(x)), self.factor))


def of_scale(call):
    """result [n, c] = x [n, c] · factor [c]"""
    x = call.axes("x")
    assert call.tensors() == ["x", "factor"] and [axis.size for axis in x] == call.result_sizes()
    call.unify(call.axes("factor")[0], x[-1])
    call.set_result(x)


def test_an_operator_with_a_rule_can_be_resized():
    model = Scaled().eval()
    x = torch.randn(3, 6)
    found = inn.analyze(model, x)
    assert all(group.pinned for group in found.groups if group.width == 12)
    inn.rule("inn_tests::scale")(of_scale)
    found = inn.analyze(model, x)
    found.check()
    small = inn.resample(model, x, keep=0.5, method="l1")
    assert small.model.first.out_features == 6 and small.model.factor.shape == (6,)
    elastic = inn.elastic(model, x)
    assert torch.allclose(elastic.eval()(x), model(x), atol=1e-5)
    elastic.resize(0.25)
    assert elastic.transform_to_discrete()(x).shape == (3, 4)


def test_wrong_rules_are_errors():
    model, x = Scaled().eval(), torch.randn(3, 6)
    kept = []
    for wrong in (
        lambda call: call.set_result([]),
        lambda call: call.set_result(call.axes("y")),
        lambda call: call.consume("x", 5),
        lambda call: call.set_result(call.axes("x"), 7),
        lambda call: 1 / 0,
    ):
        inn.rule("inn_tests::scale")(wrong)
        with pytest.raises((ValueError, RuntimeError, IndexError, ZeroDivisionError)):
            inn.analyze(model, x)
    inn.rule("inn_tests::scale")(kept.append)  # gives no axes of the result
    assert all("does not fit" in str(group.pinned) for group in inn.analyze(model, x).groups if group.width == 12)
    with pytest.raises(RuntimeError):
        kept[0].axes("x")
    inn.rule("inn_tests::scale")(of_scale)
    with pytest.raises(ValueError):
        inn.rule("aten::relu")(of_scale)
    nothing: Any = None
    with pytest.raises(TypeError):
        inn.rule("inn_tests::scale")(nothing)
    inn.analyze(model, x).check()


def test_a_wrong_equation_is_found_by_the_check():
    def wrong(call):
        call.set_result(call.axes("x"))  # says nothing of the factor

    model, x = Scaled().eval(), torch.randn(3, 6)
    inn.rule("inn_tests::scale")(wrong)
    try:
        with pytest.raises((ValueError, RuntimeError)):
            inn.analyze(model, x).check()
    finally:
        inn.rule("inn_tests::scale")(of_scale)
