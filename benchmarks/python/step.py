"""Measures a training step of an integral model in Python against the plain eager model.

    python step.py [--device cuda] [--seconds 10]

Rounds alternate between the two, so that other load affects both equally; prints the median ratio with the 10th and 90th percentile.
"""

import argparse
import statistics
import time

import torch
import torch_integral as inn
from torch import nn


class Block(nn.Module):
    """A residual block of ResNet-20."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if stride != 1 or inputs != outputs
            else nn.Identity()
        )

    def forward(self, x):
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


def resnet(widths, blocks, classes, stem=False):
    """With the stem of ImageNet's networks, a convolution of 7×7 and pooling, or with that of CIFAR's."""
    first = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False) if stem else nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
    layers: list[nn.Module] = [first, nn.BatchNorm2d(widths[0]), nn.ReLU()]
    if stem:
        layers.append(nn.MaxPool2d(3, 2, 1))
    before = widths[0]
    for stage, width in enumerate(widths):
        for block in range(blocks):
            layers.append(Block(before, width, 2 if stage > 0 and block == 0 else 1))
            before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, classes))


CASES = {
    "ResNet-20, batch 128 of 32": (lambda: resnet([16, 32, 64], 3, 10), (128, 3, 32, 32)),
    "ResNet-18, batch 8 of 224": (lambda: resnet([64, 128, 256, 512], 2, 1000, stem=True), (8, 3, 224, 224)),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    for name, (make, sizes) in CASES.items():
        torch.manual_seed(0)
        plain = make()
        started = time.perf_counter()
        elastic = inn.elastic(plain.eval(), (2, *sizes[1:]), widths="")
        conversion = time.perf_counter() - started
        models = {"plain": plain.to(options.device).train(), "integral": elastic.to(options.device).train()}
        x = torch.randn(sizes, device=options.device)
        labels = torch.zeros(sizes[0], dtype=torch.long, device=options.device)
        optimizers = {which: torch.optim.SGD(model.parameters(), 0.01, momentum=0.9) for which, model in models.items()}
        times: dict[str, list[float]] = {which: [] for which in models}
        end = time.perf_counter() + options.seconds
        while time.perf_counter() < end:
            for which, model in models.items():
                if options.device != "cpu":
                    torch.cuda.synchronize()
                started = time.perf_counter()
                optimizers[which].zero_grad()
                nn.functional.cross_entropy(model(x), labels).backward()
                optimizers[which].step()
                if options.device != "cpu":
                    torch.cuda.synchronize()
                times[which].append(time.perf_counter() - started)
        ratios = sorted(ours / theirs for ours, theirs in list(zip(times["integral"], times["plain"]))[3:])
        tenth = len(ratios) // 10
        print(
            f"{name} on {options.device}: plain {1e3 * statistics.median(times['plain']):.2f} ms, ratio "
            f"{statistics.median(ratios):.3f} ({ratios[tenth]:.3f} to {ratios[-1 - tenth]:.3f}), "
            f"conversion {conversion:.2f} s"
        )


if __name__ == "__main__":
    main()
