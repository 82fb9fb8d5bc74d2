"""An elastic network trained by several processes.

    torchrun --nproc-per-node 2 ddp.py [--data FOLDER] [--images N]

Each rank reads its share of the images. Without torchrun it is one process.
"""

import os

import torch
import torch.distributed as dist
import torch_integral as inn
from common import accuracy, open_data, parser_of
from mnist import MnistNet
from torch import nn


def main():
    options = parser_of(__doc__).parse_args()
    is_distributed = "RANK" in os.environ
    if is_distributed:
        dist.init_process_group("gloo")
    rank, count = (dist.get_rank(), dist.get_world_size()) if is_distributed else (0, 1)
    torch.manual_seed(0)
    data, test = open_data(options)
    own = torch.utils.data.Subset(data, range(rank, len(data), count))
    loader = torch.utils.data.DataLoader(own, 128 // count, shuffle=True, drop_last=True)

    elastic = inn.elastic(MnistNet(), (1, 1, 28, 28), widths="uniform:0.25,1").train()
    model = nn.parallel.DistributedDataParallel(elastic) if is_distributed else elastic
    optimizer = torch.optim.Adam(elastic.parameters(), 2e-3)
    for images, labels in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    found = []
    for width in (1.0, 0.5, 0.25):
        elastic.resize(width)
        found.append(f"{width}: {accuracy(elastic.transform_to_discrete(), test):.3f}")
    if rank == 0:
        print(f"{count} ranks; accuracy at widths {', '.join(found)}")
    if is_distributed:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
