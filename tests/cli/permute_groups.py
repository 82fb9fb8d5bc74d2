"""Permutes the groups that `inn groups` finds, on the original modules, by the printed numbers alone.

    python permute_groups.py PROGRAM FOLDER

For each module here: exports it to FOLDER, reads `PROGRAM groups FILE --json`, and permutes every group that can be resized in
the module's own state dict: channel c stands at offset + o·outer_stride + c·inner + i. The outputs must not change; permuting
the producers alone must change them, else nothing was shown. Float64 throughout. Ends with 1 where one fails.
"""

import json
import pathlib
import subprocess
import sys

import torch
from torch import nn

# Float64, sums of some hundred terms in another order.
TOLERANCE = 1e-10


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.conv1 = nn.Conv2d(8, 12, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(12)
        self.conv2 = nn.Conv2d(12, 8, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(8)
        self.head = nn.Linear(8 * 9, 5)

    def forward(self, x):
        x = self.stem(x)
        x = torch.relu(x + self.norm2(self.conv2(torch.relu(self.norm1(self.conv1(x))))))
        return self.head(nn.functional.adaptive_avg_pool2d(x, 3).flatten(1))


class Grouped(nn.Module):
    """Grouped and depthwise convolutions, a concatenation, a channel shuffle."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 1)
        self.grouped = nn.Conv2d(12, 24, 3, padding=1, groups=4)
        self.depthwise = nn.Conv2d(24, 24, 3, padding=1, groups=24)
        self.other = nn.Conv2d(3, 6, 1)
        self.last = nn.Conv2d(30, 7, 1)
        self.head = nn.Linear(7, 5)

    def forward(self, x):
        y = torch.tanh(self.depthwise(torch.tanh(self.grouped(self.stem(x)))))
        y = torch.cat([y, self.other(x)], 1)
        return self.head(self.last(y).mean((2, 3)))


class Shuffled(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv1d(3, 12, 1)
        self.mixed = nn.Conv1d(12, 12, 3, padding=1, groups=2)
        self.last = nn.Conv1d(12, 5, 1)

    def forward(self, x):
        n, c, length = x.shape
        x = self.mixed(self.stem(x))
        x = x.view(n, 2, 6, length).transpose(1, 2).reshape(n, 12, length)
        return self.last(torch.tanh(x))


MODULES = {
    "mlp": (lambda: nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.LayerNorm(16), nn.Linear(16, 9), nn.Tanh(), nn.Linear(9, 4)),
            torch.Size([7, 6])),
    "residual": (Residual, torch.Size([2, 3, 8, 8])),
    "grouped": (Grouped, torch.Size([2, 3, 6, 6])),
    "shuffled": (Shuffled, torch.Size([2, 3, 6])),
}


def places(member, width):
    """The index of every (o, c, i), as a tensor [outer, width, inner]."""
    o = torch.arange(member["outer"]).view(-1, 1, 1) * member["outer_stride"]
    c = torch.arange(width).view(1, -1, 1) * member["inner"]
    return member["offset"] + o + c + torch.arange(member["inner"]).view(1, 1, -1)


def permute(state, group, order, roles):
    """Channel c of the group becomes what channel order[c] was."""
    for member in group["members"]:
        if member["role"] not in roles:
            continue
        axis = member["axis"]
        to = places(member, group["width"])
        index = torch.arange(state[member["tensor"]].shape[axis])
        index[to.flatten()] = to[:, order].flatten()
        state[member["tensor"]] = state[member["tensor"]].index_select(axis, index)


def outputs(module, state, x):
    return torch.func.functional_call(module, state, (x,))


def check(program, folder, name, make, sizes):
    torch.manual_seed(0)
    module = make().double().eval()
    with torch.no_grad():
        for tensor in [*module.parameters(), *module.buffers()]:
            if tensor.dim() > 1:
                tensor.normal_(0, tensor[0].numel() ** -0.5)
            elif tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5)  # no branch is dead, no channel like another
    x = torch.randn(sizes, dtype=torch.float64)
    file = folder / f"{name}.pt2"
    torch.export.save(torch.export.export(module, (x,)), file)
    found = json.loads(subprocess.run([program, "groups", str(file), "--json"], check=True, capture_output=True).stdout)
    source = {key: tensor.detach() for key, tensor in module.state_dict().items()}
    expected, scale = outputs(module, source, x), outputs(module, source, x).abs().max()
    ok, count = True, 0
    for group in found["groups"]:
        if group["pinned"] is not None or group["width"] < 2:
            continue
        order = torch.randperm(group["width"])
        if torch.equal(order, order.sort().values):
            order = order.roll(1)
        errors = []
        for roles in [("produce", "consume"), ("produce",)]:
            state = dict(source)
            permute(state, group, order, roles)
            errors.append(((outputs(module, state, x) - expected).abs().max() / scale).item())
        good = errors[0] <= TOLERANCE < errors[1]
        print(f"{name} {group['name']}: all permuted {errors[0]:.1e}, producers alone {errors[1]:.1e}{'' if good else ' FAILED'}")
        ok, count = ok and good, count + 1
    if count == 0:
        print(f"{name}: no group can be resized FAILED")
    return ok and count > 0


def main(program, folder):
    folder.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        results = [check(program, folder, name, *entry) for name, entry in MODULES.items()]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
