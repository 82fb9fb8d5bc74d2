import copy
import warnings

import pytest
import torch
import torch_integral as inn
from networks import Attention, Fixed, Named, Residual, randomized
from torch import nn


@pytest.fixture
def model():
    torch.manual_seed(1)
    return randomized(Residual())


def test_the_users_class_comes_back_with_its_attributes(model):
    small = inn.resample(model, (2, 3, 8, 8), keep=0.5, method="l1").model
    assert type(small) is Residual
    assert (small.conv1.in_channels, small.conv1.out_channels) == (4, 8)
    assert (small.deep.groups, small.deep.in_channels) == (8, 8)
    assert small.bn.num_features == 4 and small.head.in_features == 4
    assert small(torch.randn(5, 3, 9, 9)).shape == (5, 5)
    assert model.conv1.out_channels == 16


def test_channels_are_kept_by_their_scores(model):
    small = inn.resample(model, (2, 3, 8, 8), widths={"conv1": 5}, method="l1").model
    norms = model.conv1.weight.detach().abs().flatten(1).mean(1) 
    deep = model.deep.weight.detach().abs().flatten(1).mean(1)
    kept = {row.tobytes() for row in small.conv1.weight.detach().numpy()}
    assert len(kept) == 5
    assert kept <= {row.tobytes() for row in model.conv1.weight.detach().numpy()}
    assert norms.shape == deep.shape


def test_an_importance_of_ones_own(model):
    def last(group, slices):
        assert group == "conv1" and all(rows.shape[0] == 16 for _, rows in slices)
        return torch.arange(16.0)

    small = inn.resample(model, (2, 3, 8, 8), widths={"conv1": 3}, importance=last).model
    assert torch.equal(small.conv1.weight, model.conv1.weight[13:])


def test_full_width_changes_nothing(model):
    x = torch.randn(2, 3, 8, 8)
    small = inn.resample(model, (2, 3, 8, 8), keep=1.0, method="l1").model
    assert torch.equal(small(x), model(x))


def test_quadrature_on_data_is_better_than_norms(model):
    torch.manual_seed(2)
    x = torch.randn(64, 3, 8, 8)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, torch.zeros(64).long()), batch_size=16)
    errors = {}
    for name, arguments in {"l1": {"method": "l1"}, "quadrature": {"calibration": loader}}.items():
        made = inn.resample(model, (2, 3, 8, 8), widths={"conv1": 8}, **arguments)
        test = torch.randn(64, 3, 8, 8)
        errors[name] = (made.model(test) - model(test)).pow(2).mean().item()
    assert errors["quadrature"] < errors["l1"]


def test_a_budget_is_kept(model):
    data = [torch.randn(8, 3, 8, 8) for _ in range(4)]
    whole = inn.analyze(model, (1, 3, 8, 8)).cost().macs
    made = inn.resample(model, (2, 3, 8, 8), budget={"macs": 0.6}, calibration=data)
    assert inn.analyze(made.model, (1, 3, 8, 8)).cost().macs <= 0.6 * whole


def test_sizes_in_the_code_give_a_graph_module_and_a_warning():
    torch.manual_seed(0)
    model = Fixed().eval()
    with pytest.warns(UserWarning, match="Fixed can't have the new widths"):
        made = inn.resample(model, (2, 6), keep=0.5, method="l1")
    assert isinstance(made.model, torch.fx.GraphModule)
    x = torch.randn(7, 6)
    assert torch.allclose(made.model(x), made.network.run([x])[0])
    with pytest.raises(ValueError, match="Fixed can't have the new widths"):
        inn.resample(model, (2, 6), keep=0.5, method="l1", as_module=True)


def test_tied_tensors_stay_tied_and_structures_stay():
    torch.manual_seed(0)
    model = Named().eval()
    example = {"tokens": torch.randint(0, 11, (2, 4)), "scale": torch.rand(2)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small = inn.resample(model, example, widths={"mlp.0": 6}, method="l1").model
    assert small(**example)["logits"].shape == (2, 4, 11)


def test_numbers_of_heads_follow():
    torch.manual_seed(0)
    model = Attention().eval()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = inn.resample(model, torch.randn(2, 5, 16), keep=0.5, method="l1")
    assert type(made.model) is Attention and made.model.num_heads == 2 and made.model.qkv.out_features == 24
    assert model.num_heads == 4
    x = torch.randn(3, 7, 16)
    assert torch.allclose(made.model(x), made.network.run([x])[0], atol=1e-5)


def test_results_can_be_copied_pickled_and_exported(model, tmp_path):
    import pickle

    small = inn.resample(model, (2, 3, 8, 8), keep=0.5, method="l2").model
    x = torch.randn(3, 3, 8, 8)
    assert torch.equal(copy.deepcopy(small)(x), small(x))
    assert torch.equal(pickle.loads(pickle.dumps(small))(x), small(x))
    assert torch.allclose(torch.export.export(small, (x,)).module()(x), small(x))


def test_errors_name_what_is_wrong(model):
    with pytest.raises(ValueError, match="one of keep, widths"):
        inn.resample(model, (2, 3, 8, 8))
    with pytest.raises(ValueError, match="conv3"):
        inn.resample(model, (2, 3, 8, 8), widths={"conv3": 4})
    with pytest.raises(ValueError, match="no such method"):
        inn.resample(model, (2, 3, 8, 8), keep=0.5, method="l7")
    with pytest.raises(ValueError, match="calibration"):
        inn.resample(model, (2, 3, 8, 8), keep=0.5, method="quadrature")
    with pytest.raises(ValueError, match="at least one batch"):
        inn.resample(model, (2, 3, 8, 8), keep=0.5, calibration=[])
    with pytest.raises(ValueError, match="scope"):
        inn.resample(model, (2, 3, 8, 8), keep=0.5, scope="local")
    with pytest.raises(RuntimeError, match="stop"):
        inn.resample(model, (2, 3, 8, 8), keep=0.5, importance=_raises)


def _raises(group, slices):
    raise RuntimeError("stop")


def test_methods_are_listed():
    assert {"quadrature", "interpolate", "fold", "l1", "taylor"} <= set(inn.methods())
    assert nn is not None
