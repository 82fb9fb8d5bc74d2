"""Cuts a large decoder, and measures time and memory against the size of its file.

    python large.py PROGRAM FOLDER [--gigabytes G] [--sequences N]

Writes a decoder of random bfloat16 weights (RMS norms, rotary positions, gated MLP) of about G gigabytes to FOLDER/large.pt2, cuts a quarter of
every MLP by data-aware quadrature with refits on N random sequences, and prints the seconds and the most memory, also as a multiple of the file.
Random weights say nothing about accuracy.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

DIM, HIDDEN, HEADS, LENGTH, VOCABULARY = 2048, 2816, 16, 64, 8192


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.RMSNorm(DIM), nn.RMSNorm(DIM)
        self.q, self.k, self.v, self.o = (nn.Linear(DIM, DIM, bias=False) for _ in range(4))
        self.gate, self.up, self.down = nn.Linear(DIM, HIDDEN, bias=False), nn.Linear(DIM, HIDDEN, bias=False), nn.Linear(HIDDEN, DIM, bias=False)

    def forward(self, x, cos, sin):
        def heads(projection):
            return projection(y).unflatten(-1, (HEADS, -1)).transpose(1, 2)

        def turned(z):
            a, b = z.chunk(2, -1)
            return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)

        y = self.norm1(x)
        mixed = F.scaled_dot_product_attention(turned(heads(self.q)), turned(heads(self.k)), heads(self.v), is_causal=True)
        x = x + self.o(mixed.transpose(1, 2).flatten(2))
        y = self.norm2(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Decoder(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.embed, self.norm = nn.Embedding(VOCABULARY, DIM), nn.RMSNorm(DIM)
        self.blocks = nn.ModuleList(Block() for _ in range(depth))
        self.head = nn.Linear(DIM, VOCABULARY, bias=False)
        angle = torch.arange(LENGTH)[:, None] * 1e4 ** (-torch.arange(0, DIM // HEADS, 2) / (DIM // HEADS))
        self.register_buffer("cos", angle.cos())
        self.register_buffer("sin", angle.sin())

    def forward(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, self.cos, self.sin)
        return self.head(self.norm(x))


def write(folder, gigabytes, sequences):
    torch.manual_seed(0)
    depth = max(1, round((gigabytes * 1e9 / 2 - 2 * VOCABULARY * DIM) / (4 * DIM * DIM + 3 * DIM * HIDDEN)))
    model = Decoder(depth).to(torch.bfloat16).eval()
    tokens = torch.randint(VOCABULARY, (sequences, LENGTH))
    program = torch.export.export(model, (tokens[:2],), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, str(folder / "large.pt2"))
    torch.save(tokens, folder / "large-calibration.pt")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--gigabytes", type=float, default=2)
    parser.add_argument("--sequences", type=int, default=16)
    options = parser.parse_args()
    source = options.folder / "large.pt2"
    # In a process of its own, which gives all its memory back.
    if os.fork() == 0:
        write(options.folder, options.gigabytes, options.sequences)
        os._exit(0)
    if os.wait()[1] != 0:
        sys.exit("the decoder could not be written")
    command = [options.program, "resample", source, "-o", options.folder / "large-cut.pt2", "--keep", "0.75", "--groups", "*.gate"]
    command += ["--method", "quadrature", "--calibration", options.folder / "large-calibration.pt", "--samples", str(options.sequences)]
    started = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit("the program failed")
    size, most = source.stat().st_size, usage.ru_maxrss * 1024
    print(f"file {size / 1e9:.2f} GB, {time.monotonic() - started:.0f} s, at most {most / 1e9:.2f} GB: {most / size:.2f} times the file")


if __name__ == "__main__":
    main()
