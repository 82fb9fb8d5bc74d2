from html import unescape

import pytest
import torch
import torch_integral as inn
from networks import Fixed, Named, Residual, randomized


def test_groups_are_found_and_verified():
    found = inn.analyze(randomized(Residual()), (1, 3, 8, 8))
    assert {group.name: group.width for group in found} == {"stem": 8, "conv1": 16}
    assert all(result.ok for result in found.check())
    assert found.pinned.keys() >= {"head"}
    assert "conv1" in repr(found) and "<td>conv1</td>" in unescape(found._repr_html_())


@pytest.mark.parametrize("example", [torch.randn(2, 3, 8, 8), (1, 3, 8, 8), [1, 3, 8, 8], (3, 8, 8)])
def test_an_example_is_a_tensor_or_a_shape(example):
    assert len(inn.analyze(Residual().eval(), example)) == 2


def test_an_exported_program_and_a_file_have_the_same_groups(tmp_path):
    model = randomized(Residual())
    program = torch.export.export(model, (torch.randn(2, 3, 8, 8),))
    torch.export.save(program, tmp_path / "model.pt2")
    names = [group.name for group in inn.analyze(model, (2, 3, 8, 8))]
    assert [group.name for group in inn.analyze(program)] == names
    assert [group.name for group in inn.analyze(tmp_path / "model.pt2")] == names


def test_keyword_inputs_are_taken():
    example = {"tokens": torch.tensor([[1, 2, 3]]), "scale": torch.ones(1)}
    assert {"mlp.0", "embedding"} & {group.name for group in inn.analyze(Named().eval(), example)}


def test_the_model_is_not_changed():
    model = Residual().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    inn.analyze(model, (1, 3, 8, 8)).check()
    assert model.training and model.bn.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_costs_are_those_of_the_formulas():
    cost = inn.analyze(Fixed().eval(), (1, 6)).cost()
    assert cost.parameters == 6 * 12 + 12 + 12 * 4 + 4
    assert cost.macs == 6 * 12 + 12 * 4


def test_a_missing_example_and_a_wrong_model_are_refused():
    with pytest.raises(ValueError, match="example"):
        inn.analyze(Residual())
    with pytest.raises(TypeError, match="must be a torch.nn.Module"):
        inn.analyze(3, (1, 3, 8, 8))
    with pytest.raises(RuntimeError, match="nowhere.pt2"):
        inn.analyze("nowhere.pt2")


def test_what_torch_cannot_export_is_told():
    class Branches(torch.nn.Module):
        def forward(self, x):
            return x + 1 if x.sum() > 0 else x - 1

    with pytest.raises(ValueError, match="Branches can't be exported"):
        inn.analyze(Branches(), torch.randn(2, 3))
