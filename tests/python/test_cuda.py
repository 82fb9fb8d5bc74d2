import pytest
import torch
import torch_integral as inn
from networks import Residual, randomized

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")


@pytest.fixture
def source():
    torch.manual_seed(1)
    return randomized(Residual())


X = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(7))


def test_an_integral_model_moves_there_and_back(source):
    model = inn.elastic(source, (2, 3, 8, 8)).eval()
    for width in (1.0, 0.5):
        model.cpu().resize(width)
        expected = model(X)
        assert torch.allclose(model.cuda()(X.cuda()).cpu(), expected, atol=1e-3)


def test_it_trains_there(source):
    model = inn.elastic(source, (2, 3, 8, 8)).cuda().train()
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    labels = torch.arange(4).cuda()
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        losses.append(inn.elastic_step(model, X.cuda(), labels, torch.nn.functional.cross_entropy).item())
        optimizer.step()
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_a_model_there_is_resampled(source):
    model = source.cuda()
    made = inn.resample(model, X.cuda(), keep=0.5, calibration=[X.cuda()])
    assert type(made.model) is Residual and next(made.model.parameters()).is_cuda
    assert made.model(X.cuda()).shape == (4, 5)


def test_batch_norm_is_recalibrated_there(source):
    model = inn.elastic(source, (2, 3, 8, 8)).cuda()
    inn.recalibrate(model, [X])
    assert torch.isfinite(model.eval()(X.cuda())).all()
