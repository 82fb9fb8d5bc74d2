import pytest
import torch
import torch_integral as inn
from networks import Residual, randomized

SHAPE = (2, 3, 8, 8)


@pytest.fixture
def model():
    torch.manual_seed(1)
    return randomized(Residual())


@pytest.fixture
def loader():
    torch.manual_seed(2)
    return [torch.randn(16, 3, 8, 8) for _ in range(5)]


def test_the_users_class_comes_back_within_the_budget(model, loader):
    made = inn.shrink(model, SHAPE, budget="macs=0.6", calibration=loader, minutes=0.1)
    assert type(made.model) is Residual
    assert made.after.macs <= 0.6 * made.before.macs
    assert made.after.parameters == sum(p.numel() for p in made.model.parameters())
    assert made.model(torch.randn(5, 3, 9, 9)).shape == (5, 5)
    rate, standard_error = made.after.agreement
    assert 0 <= rate <= 1 and standard_error == pytest.approx((rate * (1 - rate) / 16) ** 0.5)
    assert "error curves" in repr(made) and "agreement" in repr(made)
    assert model.conv1.out_channels == 16


def test_accuracy_is_measured_on_labelled_data_only(model, loader):
    images = torch.randn(40, 3, 8, 8)
    labels = model(images).argmax(1)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size=8)
    made = inn.shrink(model, SHAPE, budget={"params": 0.7}, calibration=loader, data=data, minutes=0.1, distill=False)
    assert made.before.accuracy[0] == 1
    right = (made.model(images).argmax(1) == labels).float().mean().item()
    assert made.after.accuracy[0] == pytest.approx(right)
    assert made.after.parameters <= 0.7 * made.before.parameters


def test_the_least_network_of_an_accuracy(model, loader):
    images = torch.randn(60, 3, 8, 8)
    labels = model.eval()(images).argmax(1)
    made = inn.shrink(model, SHAPE, budget="accuracy=-40", calibration=loader, data=[(images, labels)], minutes=0.3, distill=False, smallest="params")
    assert made.after.accuracy[0] >= 0.6 and made.after.parameters < made.before.parameters
    with pytest.raises(ValueError, match="labelled samples"):
        inn.shrink(model, SHAPE, budget="accuracy=-1", calibration=loader)


def test_folded_for_inference(model, loader):
    made = inn.shrink(
        model, SHAPE, budget="macs=0.6", calibration=loader, minutes=0.1, distill=False, fold_batch_norm=True
    )
    assert not any("running" in name for name in made.model.state_dict())
    assert made.model(torch.randn(2, 3, 8, 8)).shape == (2, 5)


def test_wrong_arguments(model, loader):
    with pytest.raises(ValueError, match="Target"):
        inn.shrink(model, SHAPE, budget="macs=0.5", calibration=loader, target="phone")
    with pytest.raises(ValueError, match="flops"):
        inn.shrink(model, SHAPE, budget="flops=0.5", calibration=loader)
    with pytest.raises(ValueError, match="minutes"):
        inn.shrink(model, SHAPE, budget="macs=0.5", calibration=loader, minutes=0)
    with pytest.raises(ValueError, match="one entry"):
        inn.shrink(model, SHAPE, budget={"macs": 0.5, "params": 0.5}, calibration=loader)
    with pytest.raises(ValueError, match="not reachable"):
        inn.shrink(model, SHAPE, budget="macs=1e-6", calibration=loader)
