"""What the examples share: their options, their data, plain training, accuracy."""

import argparse

import torch
import torch_integral as inn
from torch import nn


def parser_of(doc, images=12800):
    """Return the parser of an example: --data, by default Fashion-MNIST as Debian installs it, and --images."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="fashion-mnist",
                        help="a folder of IDX files, CIFAR's binary files, or folders of images, one for each class")
    parser.add_argument("--images", type=int, default=images, help="the number of images that are used")
    return parser


def open_data(options, mean=0.5, std=0.5):
    """Return the training and the test images."""
    return [inn.open_dataset(options.data, split, mean=mean, std=std).first(options.images) for split in ("train", "test")]


def loader_of(data, batch=128):
    return torch.utils.data.DataLoader(data, batch, shuffle=True)


def train(model, loader, learning_rate=2e-3, epochs=1):
    """Train a model; an integral model draws its widths by itself."""
    model.train()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], learning_rate)
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()


def accuracy(model, data, batch=256):
    model.eval()
    with torch.no_grad():
        right = [model(x).argmax(1) == y for x, y in torch.utils.data.DataLoader(data, batch)]
    return torch.cat(right).float().mean().item()
