"""One elastic network in a training loop of one's own, compared with pruning at every width.

    python elastic_loop.py [--data FOLDER] [--images N]
"""

import torch
import torch_integral as inn
from common import accuracy, loader_of, open_data, parser_of, train
from mnist import MnistNet
from torch import nn


def main():
    options = parser_of(__doc__).parse_args()
    torch.manual_seed(0)
    data, test = open_data(options)
    loader = loader_of(data)

    model = MnistNet()
    train(model, loader)
    print(inn.analyze(model, (1, 1, 28, 28)))

    elastic = inn.elastic(model, (1, 1, 28, 28), widths="uniform:0.25,1").train()
    optimizer = torch.optim.Adam(elastic.parameters(), 2e-3)
    for images, labels in loader:
        optimizer.zero_grad()
        inn.elastic_step(elastic, images, labels, nn.functional.cross_entropy, rule="sandwich:1", distill="in-place")
        optimizer.step()

    calibration = [images for images, _ in loader][:4]
    print("width   elastic   quadrature   L1")
    for width in (1.0, 0.75, 0.5, 0.25):
        elastic.resize(width)
        made = [accuracy(elastic.transform_to_discrete(), test)]
        for method in ("quadrature", "l1"):
            small = inn.resample(model, (1, 1, 28, 28), keep=width, method=method, calibration=calibration)
            made.append(accuracy(small.model, test))
        print(f"{width:<8}{made[0]:<10.3f}{made[1]:<13.3f}{made[2]:.3f}")


if __name__ == "__main__":
    main()
