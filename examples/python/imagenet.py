"""ResNet-18 with an integral last stage, trained at random widths, on folders of images, one for each class.

    python imagenet.py --data FOLDER [--images N] [--size PIXELS] [--checkpoint FILE]

FOLDER has train/CLASS/*.jpg and test/CLASS/*.jpg. By default it is Fashion-MNIST. Needs torchvision.
"""

import torch
from common import accuracy, loader_of, open_data, parser_of, train
from torch import nn
from torch_integral import IntegralWrapper, UniformDistribution
from torchvision import models


class AsImages(torch.utils.data.Dataset):
    """Images of three channels and one size."""

    def __init__(self, data, size):
        self.data, self.size = data, size

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        image, label = self.data[index]
        image = nn.functional.interpolate(image[None], (self.size, self.size), mode="bilinear", antialias=True)[0]
        return image.expand(3, -1, -1), label


def main():
    parser = parser_of(__doc__, images=1280)
    parser.add_argument("--size", type=int, default=64, help="the height and width of the images")
    parser.add_argument("--checkpoint", help="a state dict of the integral model to start from")
    options = parser.parse_args()
    torch.manual_seed(0)
    data, test = open_data(options)
    classes = len(data.class_names)
    data, test = AsImages(data, options.size), AsImages(test, options.size)
    loader = loader_of(data, 32)

    model = models.resnet18(weights=None, num_classes=classes)
    train(model, loader, 1e-3)
    before = accuracy(model, test)
    continuous_dims = {
        "layer4.0.conv1.weight": [0, 1],
        "layer4.0.conv2.weight": [0, 1],
        "layer4.0.downsample.0.weight": [0, 1],
        "layer4.1.conv1.weight": [0, 1],
        "layer4.1.conv2.weight": [0, 1],
    }
    wrapper = IntegralWrapper(init_from_discrete=options.checkpoint is None)
    model = wrapper(model, [1, 3, options.size, options.size], continuous_dims, {"fc.weight": [1]})
    if options.checkpoint:
        model.load_state_dict(torch.load(options.checkpoint))
    for group in model.groups:
        group.reset_distribution(UniformDistribution(group.size * 2 // 3, group.size))
    train(model, loader, 1e-4)
    for group in model.groups:
        group.resize(group.size * 2 // 3)
    compression = model.eval().calculate_compression()
    print(f"accuracy {before:.3f}; with {compression:.0%} of the parameters {accuracy(model, test):.3f}")


if __name__ == "__main__":
    main()
