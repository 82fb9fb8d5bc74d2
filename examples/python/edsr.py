"""Super-resolution in the manner of EDSR (Lim et al., 2017): trained, then two thirds of its inner channels, by grids alone.

    python edsr.py [--data FOLDER] [--images N]

It learns to enlarge images twice, from themselves made smaller.
"""

import torch
from common import open_data, parser_of
from torch import nn
from torch_integral import IntegralWrapper, TrainableGrid1D, UniformDistribution, grid_tuning, standard_continuous_dims


class Edsr(nn.Module):
    def __init__(self, channels, width=24, blocks=3):
        super().__init__()
        self.head = nn.Conv2d(channels, width, 3, padding=1)
        self.body = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1))
            for _ in range(blocks)
        )
        self.tail = nn.Sequential(nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2),
                                  nn.Conv2d(width, channels, 3, padding=1))

    def forward(self, x):
        y = self.head(x)
        for block in self.body:
            y = y + 0.1 * block(y)
        return self.tail(y) + nn.functional.interpolate(x, scale_factor=2, mode="bilinear")


def smaller(images):
    return nn.functional.interpolate(images, scale_factor=0.5, mode="bilinear", antialias=True)


def train(model, images, learning_rate=2e-3):
    model.train()
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], learning_rate)
    for batch in images.split(32):
        optimizer.zero_grad()
        nn.functional.l1_loss(model(smaller(batch)), batch).backward()
        optimizer.step()


def psnr(model, images):
    """Peak signal to noise in dB; images are on [-1, 1]."""
    model.eval()
    with torch.no_grad():
        errors = [(model(smaller(batch)) - batch).square().mean() for batch in images.split(64)]
    return (10 * torch.log10(4 / torch.stack(errors).mean())).item()


def main():
    options = parser_of(__doc__, images=3200).parse_args()
    torch.manual_seed(0)
    data, test = (split.inputs for split in open_data(options))
    model = Edsr(data.shape[1])
    train(model, data)
    before = psnr(model, test)

    model = IntegralWrapper(init_from_discrete=True)(
        model, (1, data.shape[1], 16, 16), standard_continuous_dims(model), {"head.weight": [0], "tail.0.weight": [0]}
    )
    for group in model.groups:
        group.reset_distribution(UniformDistribution(group.size // 2, group.size))
    train(model, data)
    for group in model.groups:
        group.reset_grid(TrainableGrid1D(group.size * 2 // 3))
    resized = psnr(model, test)
    with grid_tuning(model, train_bias=True):
        train(model, data, 1e-3)
    plain = model.transform_to_discrete()
    print(f"PSNR {before:.2f} dB; at two thirds of the inner channels {resized:.2f}, after grid tuning {psnr(plain, test):.2f}")


if __name__ == "__main__":
    main()
