"""Two ranks and one give the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parent / "ranks.py"


def run(folder, *launcher):
    environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run([sys.executable, *launcher, str(SCRIPT), str(folder)], env=environment, capture_output=True,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
        pytest.skip("this torch has no gloo")
    folder = tmp_path_factory.mktemp("ranks")
    run(folder)
    run(folder, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    return [torch.load(folder / name) for name in ("1-0.pt", "2-0.pt", "2-1.pt")]


@pytest.mark.parametrize("what", ["widths", "own widths"])
def test_every_rank_draws_the_same_widths(made, what):
    alone, first, second = (each[what] for each in made)
    assert first == second and len({tuple(widths) for widths in first}) > 1
    if what == "widths":
        assert alone == first


@pytest.mark.parametrize("what, allowed", [("gradients", 1e-5), ("trained", 1e-5), ("statistics", 1e-6), ("refit", 1e-6),
                                           ("scored", 1e-6)])
def test_the_number_of_ranks_does_not_matter(made, what, allowed):
    alone, first, second = (each[what] for each in made)
    assert len(alone) == len(first) > 0
    for a, b, c in zip(alone, first, second):
        assert torch.equal(b, c)
        assert torch.allclose(a.double(), b.double(), rtol=allowed, atol=allowed * float(a.abs().max()))
