import gc
from pathlib import Path

import pytest
import torch
import torch_integral as inn
from networks import Residual, randomized
from torch_integral import _core
from torch_integral._export import network_of

TIMES = 300
ALLOWED = 1.05  # of the resident memory after the first tenth


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux's /proc")
def test_converting_training_and_resampling_leaks_nothing():
    torch.manual_seed(0)
    source = randomized(Residual())
    network = network_of(source, (2, 3, 8, 8))
    x, labels = torch.randn(4, 3, 8, 8), torch.arange(4)
    first, model = 0, None
    for time in range(TIMES):
        model = inn.IntegralModel(_core.convert(network, _core.ConvertOptions()), source, ((x,), {})).train()
        model.groups[0].reset_grid(inn.TrainableGrid1D(5))
        torch.nn.functional.cross_entropy(model(x), labels).backward()
        inn.resample(network, keep=0.5, method="l1")
        inn.resample(network, keep=0.5, importance=lambda group, slices: slices[0][1].sum(1))
        if time == TIMES // 10:
            gc.collect()
            first = resident()
    del model
    gc.collect()
    assert resident() < ALLOWED * first
