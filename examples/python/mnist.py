"""A small CNN as an integral model, by TorchIntegral's names: converted, trained at random widths, resized.

    python mnist.py [--data FOLDER] [--images N]

DATA is a folder of IDX files; by default Fashion-MNIST as Debian installs it.
"""

import argparse

import torch
import torch_integral as inn
from torch import nn
from torch_integral import IntegralWrapper, UniformDistribution, standard_continuous_dims


class MnistNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv_1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv_2 = nn.Conv2d(16, 32, 5, padding=2)
        self.conv_3 = nn.Conv2d(32, 64, 5, padding=2)
        self.pool = nn.AvgPool2d(2)
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv_1(x)))
        x = self.pool(torch.relu(self.conv_2(x)))
        x = self.pool(torch.relu(self.conv_3(x)))
        return self.linear(x.mean((2, 3)))


def train(model, loader):
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for images, labels in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()


def accuracy(model, data):
    model.eval()
    with torch.no_grad():
        return (model(data.inputs).argmax(1) == data.labels).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--images", type=int, default=12800)
    options = parser.parse_args()
    torch.manual_seed(0)
    data = inn.open_dataset(options.data, "train", mean=0.5, std=0.5).first(options.images)
    test = inn.open_dataset(options.data, "test", mean=0.5, std=0.5).first(options.images)
    loader = torch.utils.data.DataLoader(data, 128, shuffle=True)

    model = MnistNet()
    train(model, loader)
    before = accuracy(model, test)

    continuous_dims = standard_continuous_dims(model)
    continuous_dims.update({"linear.weight": [1], "linear.bias": [], "conv_1.weight": [0]})
    model = IntegralWrapper(init_from_discrete=True)(model, [1, 1, 28, 28], continuous_dims)
    model.reset_distributions([UniformDistribution(8, 16), UniformDistribution(16, 32), UniformDistribution(32, 64)])
    train(model, loader)

    model.resize([10, 20, 40])
    plain = model.transform_to_discrete()
    assert plain.conv_3.out_channels == 40
    print(f"accuracy {before:.3f}; as an integral model at widths 10, 20, 40 {accuracy(plain, test):.3f}")


if __name__ == "__main__":
    main()
