"""Exports small networks that together show what torch.export writes.

    python export_networks.py FOLDER

For each network NAME: FOLDER/NAME.pt2 and FOLDER/NAME.pt, a list [inputs, outputs, …] of pairs, the first at the exported
sizes. The inputs and outputs are lists of tensors, of numbers and None. For some NAME.torchscript too, by torch.jit.trace
or torch.jit.script.
"""

import pathlib
import sys

import torch
from torch import nn
from torch.export import Dim
from torch.nn import functional

EXPORTS = {}


def export(**options):
    def add(cls):
        EXPORTS[cls.__name__] = (cls, options)
        return cls

    return add


BATCH = Dim("batch", min=1, max=512)


@export(inputs=(torch.randn(7, 6),), script="script")
class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Linear(8, 3))

    def forward(self, x):
        return self.layers(x)


@export(inputs=(torch.randn(7, 3, 12, 10),), dynamic=({0: BATCH, 2: Dim("h", min=8, max=64), 3: Dim("w", min=8, max=64)},),
        others=[(torch.randn(2, 3, 20, 9),)], script="trace")
class ConvDynamic(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, groups=8)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = functional.relu(self.bn(self.conv(x)))
        x = functional.max_pool2d(self.depthwise(x), 2)
        y = functional.interpolate(x, size=(x.shape[2] * 2, x.shape[3] + 1), mode="bilinear")
        x = (x + functional.adaptive_avg_pool2d(y, (x.shape[2], x.shape[3]))).flatten(2).mean(-1)
        return self.head(x.view(x.shape[0], -1))


@export(inputs=(torch.randn(7, 6),), script="trace")
class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 6)
        self.second = nn.Linear(6, 6)
        self.second.weight = self.first.weight
        self.unused = nn.Parameter(torch.randn(4))
        self.fixed = nn.Parameter(torch.randn(6), requires_grad=False)

    def forward(self, x):
        return self.second(torch.tanh(self.first(x))) * self.fixed


@export(inputs=(torch.randn(7, 4),))
class Constants(nn.Module):
    def __init__(self):
        super().__init__()
        table = torch.arange(24.0).reshape(4, 6)
        self.register_buffer("sliced", table.t()[1:5])  # strides and an offset
        self.register_buffer("window", torch.arange(9.0)[2:6], persistent=False)
        self.register_buffer("flags", torch.tensor([True, False, True, False]))
        self.register_buffer("empty", torch.zeros(0, 4))
        self.register_buffer("small", torch.ones(4, dtype=torch.bfloat16))

    def forward(self, x):
        x = x @ self.sliced + self.window + torch.tensor([1.0, 2.0, 3.0, 4.0])
        x = torch.where(self.flags, x, 0.5) + self.small.to(torch.float32)
        return torch.cat([x, self.empty]).masked_fill(x > 100, float("inf"))


@export(inputs=(torch.randn(7, 2, 8, 8),), script="trace")
class InPlace(nn.Module):
    def forward(self, x):
        y = x.clone()
        y[:, :, 2:4].fill_(3.0)
        y[:, 0].zero_()
        y += 1
        y.mul_(2).add_(x, alpha=0.5)
        return functional.silu(y, inplace=True), y[:, 1]


@export(inputs=(torch.randint(0, 9, (7, 5)), torch.rand(7, 5) > 0.5), dynamic=({0: BATCH}, {0: BATCH}),
        others=[(torch.randint(0, 9, (2, 5)), torch.rand(2, 5) > 0.5)])
class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(9, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)

    def forward(self, tokens, keep):
        x = self.embedding(tokens)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return {"features": self.norm(x) * keep.unsqueeze(-1), "mask": ~keep}


@export(inputs=(torch.randn(7, 6), None, 3), keywords={"scale": torch.tensor(2.0)})
class Signature(nn.Module):
    def forward(self, x, nothing, count, *, scale):
        return {"a": x * scale, "b": (x, None, count, x.shape[1])}, [x.sum(1), x.to(torch.float64)]


@export(inputs=(torch.randn(7, 6),), dynamic=({0: BATCH},), others=[(torch.randn(3, 6),)])
class NoGrad(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 6)

    def forward(self, x):
        with torch.no_grad():
            scale = self.linear(x).abs().amax(1, keepdim=True)
            with torch.autocast("cpu", enabled=False):
                shift = x.mean(1, keepdim=True)
        return self.linear(x) / scale + shift


@export(inputs=(torch.randn(7, 6),), train=True)
class Training(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, 6)
        self.norm = nn.BatchNorm1d(6)
        self.register_buffer("steps", torch.zeros(1, dtype=torch.long))

    def forward(self, x):
        self.steps += 1
        return self.norm(self.linear(x))


@export(inputs=(torch.randn(7, 5, 4),), script="trace")
class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 6, num_layers=2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(12, 3, batch_first=True)

    def forward(self, x):
        x, (hidden, _) = self.lstm(x)
        x, _ = self.gru(x)
        return x, hidden


@export(inputs=(torch.randn(7, 6, 4, 4),))
class Shapes(nn.Module):
    def forward(self, x):
        a, b, c = x.chunk(3, 1)
        d, e = torch.split(x, [2, 4], 1)
        values, indices = x.flatten(1).topk(5)
        best = x.amax((2, 3)).max(1)
        u = torch.stack(x.unbind(1)[:2]).permute(1, 0, 2, 3)
        grid = torch.meshgrid(torch.arange(3.0), torch.linspace(0, 1, 4), indexing="ij")
        s = torch.einsum("b c h w, b d h w -> b c d", a + b, c)
        padded = functional.pad(d, (1, 2, 0, 1)).roll(1, 2)
        return s, e[:, :, ::2], values, indices, best.indices, u, grid[1], padded, x[:, [0, 3]], torch.var(x, 1)


@export(inputs=(torch.randn(11, 6),), dynamic=({0: Dim("b", min=8, max=64)},), others=[(torch.randn(9, 6),)])
class SizeArithmetic(nn.Module):
    def forward(self, x):
        n = x.shape[0]
        y = x.repeat(2, 1).view(2 * n, 6)[:n]
        z = torch.arange(n // 2 + 8 - 1 + torch.sym_max(n, 20) % 7)
        return y, z, x.new_zeros(n**2, 2), n * 3, torch.full((n,), n / 2)


@export(inputs=(torch.randn(7, 6, 8),), others=[])
class WeightViews(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(6, 4, 3))
        self.bias = nn.Parameter(torch.randn(2, 4))
        self.instance = nn.InstanceNorm1d(4, affine=True, track_running_stats=True)

    def forward(self, x):
        x = self.conv(x)
        return self.instance(x + self.bias.view(2, 4).t()[:, :1]) * self.bias.permute(1, 0)[:, 1:]


def run(module, inputs, keywords):
    leaves, _ = torch.utils._pytree.tree_flatten(module(*inputs, **keywords))
    return [leaf.detach().clone() if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, (cls, options) in EXPORTS.items():
        torch.manual_seed(0)
        module = cls().train(options.get("train", False))
        keywords = options.get("keywords", {})
        for parameter in module.parameters():
            parameter.data.normal_(0, 0.5)
        program = torch.export.export(module, options["inputs"], keywords, dynamic_shapes=options.get("dynamic"))
        torch.export.save(program, folder / f"{name}.pt2", extra_files={"note.txt": name})
        runs = []
        for inputs in [options["inputs"], *options.get("others", [])]:
            tensors = [leaf for leaf in (*inputs, *keywords.values()) if isinstance(leaf, torch.Tensor)]
            runs += [tensors, run(module, inputs, keywords)]
        torch.save(runs, folder / f"{name}.pt")
        if script := options.get("script"):
            file = torch.jit.script(module) if script == "script" else torch.jit.trace(module, options["inputs"])
            torch.jit.save(file, folder / f"{name}.torchscript")
        print(name)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
