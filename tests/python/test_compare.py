import pytest
import torch
import torch_integral as inn
from networks import Residual, randomized


def test_a_comparison_has_every_method_at_every_width(tmp_path):
    torch.manual_seed(0)
    model = randomized(Residual())
    x = torch.randn(64, 3, 8, 8)
    data = [(x, model(x).argmax(1))]
    table = inn.compare(model, (1, 3, 8, 8), calibration=x.split(16), data=data, keep=[0.75, 0.5],
                        methods=["quadrature", "l1"])
    assert [(network.method, network.keep) for network in table] == [
        ("quadrature", 0.75), ("quadrature", 0.5), ("l1", 0.75), ("l1", 0.5)]
    assert table.source.quality == 1.0
    assert table[0].quality >= table[2].quality
    assert table[1].macs < table[0].macs < table.source.macs
    assert "quadrature" in repr(table) and "0.75" in repr(table)
    distances = inn.compare(model, (1, 3, 8, 8), calibration=[x], data=[(x, model(x).detach())], keep=[0.5], methods=["l1"],
                            metric=lambda outputs, targets: -(outputs - targets).abs().max().item())
    assert distances.source.quality == pytest.approx(0, abs=1e-5)
    with pytest.raises(ValueError, match="targets"):
        inn.compare(model, (1, 3, 8, 8), calibration=[x], data=[x], keep=[0.5], methods=["l1"])
