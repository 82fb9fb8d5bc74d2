"""Samples that torch.save wrote: what the program measures on them is what torch does.

    python evaluate_tensors.py PROGRAM FOLDER
"""

import json
import math
import pathlib
import subprocess
import sys

import torch
from torch import nn
from torch.nn import functional

TOKENS, CONTEXT, WIDTH = 11, 6, 16


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, WIDTH)
        self.q, self.k, self.v, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.fc1, self.fc2 = nn.Linear(WIDTH, 32), nn.Linear(32, WIDTH)
        self.head = nn.Linear(WIDTH, TOKENS)

    def forward(self, tokens):
        x = self.embedding(tokens)
        heads = [layer(x).unflatten(2, (2, -1)).transpose(1, 2) for layer in (self.q, self.k, self.v)]
        x = x + self.out(functional.scaled_dot_product_attention(*heads, is_causal=True).transpose(1, 2).flatten(2))
        return self.head(x + self.fc2(functional.gelu(self.fc1(x))))


def run_text(program, folder, *arguments):
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(program, folder, *arguments):
    return json.loads(run_text(program, folder, *arguments, "--json"))


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = Decoder().eval()
    inputs = torch.randint(TOKENS, (50, CONTEXT))
    labels = torch.randint(TOKENS, (50, CONTEXT))
    batch = torch.export.Dim("batch", min=1, max=1024)
    torch.export.save(torch.export.export(model, (inputs[:2],), dynamic_shapes=({0: batch},)), folder / "decoder.pt2")
    torch.save({"inputs": inputs, "labels": labels.int()}, folder / "test.pt")
    torch.save(inputs, folder / "calibration.pt")
    with torch.no_grad():
        outputs = model(inputs)
    loss = functional.cross_entropy(outputs.flatten(0, 1), labels.flatten()).item()

    result = run(program, folder, "eval", "decoder.pt2", "--data", "test.pt")["results"][0]
    assert result["count"] == labels.numel(), result
    assert result["correct"] == (outputs.argmax(2) == labels).sum().item(), result
    assert abs(result["loss"] - loss) < 1e-5, (result, loss)
    assert abs(result["perplexity"] - math.exp(loss)) < 1e-4, result

    groups = run(program, folder, "groups", "decoder.pt2")["groups"]
    inner = [group["name"] for group in groups if not group["pinned"] and group["name"] != "embedding"]
    resample = ["resample", "decoder.pt2", "-o", "half.pt2", "--keep", "0.5", "--groups", *inner]
    for method in ("quadrature", "l1", "fold"):
        made = run(program, folder, *resample, "--method", method, "--calibration", "calibration.pt")
        assert all(group["width"] < group["source_width"] for group in made["groups"]), made
        half = run(program, folder, "eval", "half.pt2", "--data", "test.pt")["results"][0]
        module = torch.export.load(folder / "half.pt2").module()
        with torch.no_grad():
            cut = functional.cross_entropy(module(inputs).flatten(0, 1), labels.flatten()).item()
        assert abs(half["loss"] - cut) < 1e-5, (method, half, cut)

    made = run(program, folder, *resample, "--method", "taylor", "--calibration", "test.pt")
    assert all(group["width"] < group["source_width"] for group in made["groups"]), made

    trained = ["train", "decoder.pt2", "-o", "trained.pt2", "--data", "test.pt", "--epochs", "2", "--learning-rate", "0.1"]
    epochs = run(program, folder, *trained)["epochs"]
    assert epochs[1]["loss"] < epochs[0]["loss"], epochs

    torch.save(torch.rand(50, CONTEXT), folder / "floats.pt")
    torch.save({"inputs": torch.rand(50, CONTEXT)}, folder / "unlabelled.pt")
    cut = ["resample", "decoder.pt2", "-o", "no.pt2", "--keep", "0.5", "--groups", "fc1", "--method"]
    few = run_text(program, folder, *cut, "quadrature", "--calibration", "calibration.pt", "--samples", "2")
    assert "are too few for" in few, few
    for arguments, message in (
        ([*cut, "quadrature", "--calibration", "floats.pt"], "was Long[N, 6] in the source but is Float[50, 6] here"),
        ([*cut, "taylor", "--calibration", "unlabelled.pt"], "this method requires class labels"),
        ([*cut, "quadrature", "--calibration", "calibration.pt", "--std", "0.5"], "--mean and --std require images"),
        (["eval", "decoder.pt2", "--data", "test.pt", "--mean", "0.5"], "--mean and --std require images"),
        (["eval", "decoder.pt2", "--data", "calibration.pt"], "has no labels"),
        (["train", "decoder.pt2", "-o", "no.pt2", "--data", "test.pt", "--flip"], "flip requires images"),
        (["eval", "zoo:lenet", "--data", "test.pt"], "in the source but is Long[50, 6] here"),
    ):
        done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode in (1, 2) and message in done.stderr, (arguments, done.stderr)
    print("The program's figures are torch's.")


if __name__ == "__main__":
    main()
