"""A small CNN as an integral model, by TorchIntegral's names: converted, trained at random widths, resized.

    python mnist.py [--data FOLDER] [--images N]
"""

import torch
from common import accuracy, loader_of, open_data, parser_of, train
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


def main():
    options = parser_of(__doc__).parse_args()
    torch.manual_seed(0)
    data, test = open_data(options)
    loader = loader_of(data)

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
