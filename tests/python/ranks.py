"""What every rank of test_distributed.py runs: python ranks.py OUTPUT, also without torchrun."""

import os
import random
import sys

import torch
import torch.distributed as dist
import torch_integral as inn
from networks import Residual
from torch import nn

SAMPLES = 24


def main():
    is_distributed = "RANK" in os.environ
    if is_distributed:
        dist.init_process_group("gloo")
    rank, count = (dist.get_rank(), dist.get_world_size()) if is_distributed else (0, 1)
    torch.manual_seed(0)
    model = Residual().eval()
    images, labels = torch.randn(SAMPLES, 3, 8, 8), torch.randint(0, 5, (SAMPLES,))
    torch.manual_seed(100 + rank)  # from here on ranks have different seeds, as in users' scripts
    random.seed(rank)
    own = slice(rank * SAMPLES // count, (rank + 1) * SAMPLES // count)
    x, y = images[own], labels[own]
    made = {}

    plain = nn.Sequential(nn.Flatten(), nn.Linear(192, 24), nn.ReLU(), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 5))
    torch.manual_seed(1)
    for parameter in plain.parameters():
        nn.init.normal_(parameter, std=0.1)
    mlp = inn.elastic(plain, (2, 3, 8, 8)).train()
    wrapped = nn.parallel.DistributedDataParallel(mlp) if is_distributed else mlp
    optimizer = torch.optim.SGD(mlp.parameters(), 0.1)
    made["widths"] = []
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(wrapped(x), y).backward()
        made["widths"].append([mlp._core.width(g) for g in range(len(mlp.groups))])
        optimizer.step()
    made["gradients"] = [p.grad.clone() for p in mlp.parameters() if p.grad is not None]
    made["trained"] = [p.detach().clone() for p in mlp.parameters()]

    torch.manual_seed(1)
    for parameter in plain.parameters():
        nn.init.normal_(parameter, std=0.1)
    mlp = inn.elastic(plain, (2, 3, 8, 8)).train()
    wrapped = nn.parallel.DistributedDataParallel(mlp) if is_distributed else mlp
    inn.elastic_step(wrapped, x, y, nn.functional.cross_entropy, rule="sandwich:2", distill="in-place")
    made["gradients of a step"] = [p.grad.clone() for p in mlp.parameters() if p.grad is not None]

    drawn = inn.IntegralWrapper()(plain, (2, 3, 8, 8)).train()
    drawn.reset_distributions([inn.UniformDistribution(4, 16) for _ in drawn.groups])
    made["own widths"] = []
    for _ in range(5):
        drawn(x)
        made["own widths"].append([drawn._core.width(g) for g in range(len(drawn.groups))])

    measured = inn.elastic(model, (2, 3, 8, 8))
    inn.recalibrate(measured, x.split(4))
    made["statistics"] = [b.clone() for b in measured.buffers()]

    small = inn.resample(model, (2, 3, 8, 8), keep=0.5, method="quadrature", calibration=x.split(4))
    made["refit"] = [p.detach().clone() for p in small.model.parameters()]
    scored = inn.resample(model, (2, 3, 8, 8), keep=0.5, method="taylor",
                          calibration=list(zip(x.split(4), y.split(4))), refit=True)
    made["scored"] = [p.detach().clone() for p in scored.model.parameters()]
    torch.save(made, f"{sys.argv[1]}/{count}-{rank}.pt")
    if is_distributed:
        # Torch's gloo threads need the interpreter to free the tensors of the last collective; if the group is destroyed before
        # they have, both wait for each other forever. A barrier has no tensors, and waits without holding the interpreter.
        dist.barrier()
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
