"""Compares the multiply-adds of `inn cost` with torch.utils.flop_counter, which counts two operations for each.

    python count_operations.py PROGRAM FOLDER

Each module is exported to FOLDER at batch 1. Attention runs by its plain formula, since the flop counter does not know the fused
CPU kernel. It counts nothing for LSTM, GRU, bilinear layers, addbmm and products of vectors: their closed forms stand here. Ends with 1
where one differs.
"""

import json
import pathlib
import subprocess
import sys

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


class Apply(nn.Module):
    """A function of the input and of parameters of these sizes."""

    def __init__(self, function, *sizes):
        super().__init__()
        self.function = function
        self.tensors = nn.ParameterList([torch.randn(size) for size in sizes])

    def forward(self, x):
        return self.function(x, *self.tensors)


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, 24))
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(24, 3, 48, batch_first=True, norm_first=True), 2, enable_nested_tensor=False)
        self.head = nn.Linear(24, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1)
        return self.head(self.encoder(x)[:, 0])


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 7, stride=2, padding=3, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.conv1 = nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(8, 16, 1, stride=2, bias=False)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = torch.relu(self.norm(self.stem(x)))
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))) + self.shortcut(x))
        return self.head(x.mean((2, 3)))


class Attention(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True, **options)
        self.memory = nn.Parameter(torch.randn(1, 5, options.get("kdim", 12)))

    def forward(self, x):
        return self.attention(x, self.memory, self.memory)[0]


class Recurrent(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


def einsum(equation):
    return lambda *tensors: torch.einsum(equation, *tensors)


def attend(x, key, value, **options):
    return nn.functional.scaled_dot_product_attention(x, key, value, **options)


MODULES = {
    "conv1d": (nn.Conv1d(3, 5, 4, stride=2, padding=1), (1, 3, 11)),
    "conv2d": (nn.Conv2d(4, 6, (3, 2), padding=1), (1, 4, 9, 8)),
    "conv3d": (nn.Conv3d(2, 3, 2, dilation=2), (1, 2, 5, 6, 7)),
    "grouped": (nn.Conv2d(4, 6, 3, groups=2), (1, 4, 9, 8)),
    "depthwise": (nn.Conv2d(4, 8, 3, groups=4, padding="same"), (1, 4, 9, 8)),
    "transposed1d": (nn.ConvTranspose1d(4, 3, 3, stride=2), (1, 4, 5)),
    "transposed2d": (nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), (1, 4, 5, 6)),
    "transposed3d": (nn.ConvTranspose3d(2, 3, 2), (1, 2, 3, 3, 3)),
    "linear": (nn.Linear(7, 5), (1, 3, 7)),
    "mm": (Apply(torch.mm, (7, 5)), (1, 7)),
    "addmm": (Apply(lambda x, bias, weight: torch.addmm(bias, x, weight), (5,), (7, 5)), (1, 7)),
    "bmm": (Apply(lambda x: torch.bmm(x, x.transpose(1, 2))), (1, 4, 7)),
    "baddbmm": (Apply(lambda x, bias: torch.baddbmm(bias, x, x.transpose(1, 2)), (1, 4, 4)), (1, 4, 7)),
    "addbmm": (Apply(lambda x, bias, other: torch.addbmm(bias, x.expand(3, -1, -1), other), (4, 5), (3, 7, 5)), (1, 4, 7)),
    "matmul": (Apply(torch.matmul, (6, 7, 5)), (1, 1, 4, 7)),
    "tensordot": (Apply(lambda x, other: torch.tensordot(x, other, dims=([1, 2], [2, 0])), (7, 5, 4)), (1, 4, 7)),
    "inner": (Apply(torch.inner, (6, 7)), (1, 4, 7)),
    "einsum_scores": (Apply(einsum("b h q d, b h k d -> b h q k"), (1, 3, 5, 4)), (1, 3, 7, 4)),
    "einsum_chain": (Apply(einsum("ab,bc,cd->ad"), (7, 5), (5, 6)), (1, 7)),
    "einsum_sums": (Apply(einsum("abi,bc->ac"), (4, 5)), (1, 4, 7)),
    "einsum_outer": (Apply(einsum("ab,c->abc"), (5,)), (1, 7)),
    "einsum_ellipsis": (Apply(einsum("...ij,jk->...ik"), (4, 5)), (1, 2, 7, 4)),
    "attention": (Apply(attend, (1, 3, 5, 4), (1, 3, 5, 6)), (1, 3, 7, 4)),
    "grouped_query": (Apply(lambda x, k, v: attend(x, k, v, enable_gqa=True), (1, 2, 5, 4), (1, 2, 5, 4)), (1, 6, 7, 4)),
    "multihead": (Attention(), (1, 7, 12)),
    "cross_attention": (Attention(kdim=8, vdim=8), (1, 7, 12)),
    "vit": (Vit(), (1, 3, 16, 16)),
    "resnet": (ResNet(), (1, 3, 32, 32)),
    "lstm": (Recurrent(nn.LSTM(4, 6, num_layers=2, batch_first=True, bidirectional=True)), (1, 7, 4)),
    "lstm_projected": (Recurrent(nn.LSTM(4, 6, proj_size=3, batch_first=True)), (1, 7, 4)),
    "gru": (Recurrent(nn.GRU(4, 6, batch_first=True)), (1, 7, 4)),
    "bilinear": (Apply(lambda x, weight: nn.functional.bilinear(x, x, weight), (5, 4, 4)), (1, 3, 4)),
    "mv": (Apply(lambda x, vector: torch.mv(x, vector), (7,)), (1, 7)),
}

# Every matrix of a recurrent layer is applied once in each of 7 steps. A bilinear layer multiplies each pair of its inputs.
CLOSED_FORMS = {
    "lstm": 7 * 2 * (24 * (4 + 6) + 24 * (12 + 6)),
    "lstm_projected": 7 * (24 * (4 + 3) + 3 * 6),
    "gru": 7 * 18 * (4 + 6),
    "bilinear": 3 * 5 * 4 * 4,
    "mv": 7,
    "addbmm": 3 * 4 * 7 * 5,
}


def main(program, folder):
    folder.mkdir(parents=True, exist_ok=True)
    ok = True
    for name, (module, sizes) in MODULES.items():
        module, x = module.eval(), torch.randn(sizes)
        file = folder / f"{name}.pt2"
        torch.export.save(torch.export.export(module, (x,)), file)
        found = json.loads(subprocess.run([program, "cost", str(file), "--json"], check=True, capture_output=True).stdout)
        if name in CLOSED_FORMS:
            expected = CLOSED_FORMS[name]
        else:
            with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
                torch.export.load(file).module()(x)
            expected = counter.get_total_flops() / 2
        good = found["macs"] == expected
        ok = ok and good and (expected > 0 or name == "einsum_outer")
        print(f"{name}: {found['macs']} multiply-adds{'' if good else f', but {expected} expected: FAILED'}")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
