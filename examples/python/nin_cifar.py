"""Network in network (Lin, Chen and Yan, 2014): its last stage at half its width, only by moving the points of its grids.

    python nin_cifar.py [--data FOLDER] [--images N]

DATA may be CIFAR-10's binary files; by default it is Fashion-MNIST.
"""

import torch
from common import accuracy, loader_of, open_data, parser_of, train
from torch import nn
from torch_integral import IntegralWrapper, TrainableGrid1D, grid_tuning


def stage(channels, widths, kernel):
    layers = []
    for width, size in zip(widths, (kernel, 1, 1)):
        layers += [nn.Conv2d(channels, width, size, padding=size // 2), nn.BatchNorm2d(width), nn.ReLU()]
        channels = width
    return nn.Sequential(*layers)


class Nin(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        self.stage1 = stage(channels, (32, 24, 16), 5)
        self.stage2 = stage(16, (32, 32, 32), 5)
        self.stage3 = stage(32, (64, 64, classes), 3)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        x = self.pool(self.stage1(x))
        x = self.pool(self.stage2(x))
        return self.stage3(x).mean((2, 3))


def main():
    options = parser_of(__doc__, images=6400).parse_args()
    torch.manual_seed(0)
    data, test = open_data(options)
    loader = loader_of(data)
    channels, size = data.inputs.shape[1], data.inputs.shape[2]

    model = Nin(channels, 10)
    train(model, loader)
    before = accuracy(model, test)

    continuous_dims = {}
    for name, layer in model.named_modules():
        if "stage3" in name and isinstance(layer, nn.Conv2d):
            continuous_dims[name + ".weight"] = [0, 1]
            continuous_dims[name + ".bias"] = [0]
    model = IntegralWrapper(init_from_discrete=True, fuse_bn=True)(model, [1, channels, size, size], continuous_dims)
    for group in model.groups:
        if "operator" not in group.operations:
            group.reset_grid(TrainableGrid1D(group.size // 2))
    compression, at_half = model.eval().calculate_compression(), accuracy(model, test)
    with grid_tuning(model, False, True):
        train(model, loader, learning_rate=1e-3)
    print(f"accuracy {before:.3f}; with {compression:.0%} of the parameters {at_half:.3f}, "
          f"after grid tuning {accuracy(model, test):.3f}")


if __name__ == "__main__":
    main()
