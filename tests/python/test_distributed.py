"""Two ranks and one give the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch_integral as inn
from torch import nn

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


@pytest.mark.parametrize("what, allowed", [("gradients", 1e-5), ("gradients of a step", 1e-5), ("trained", 1e-5), ("statistics", 1e-6),
                                           ("refit", 1e-6), ("scored", 1e-6)])
def test_the_number_of_ranks_does_not_matter(made, what, allowed):
    alone, first, second = (each[what] for each in made)
    assert len(alone) == len(first) > 0
    for a, b, c in zip(alone, first, second):
        assert torch.equal(b, c)
        assert torch.allclose(a.double(), b.double(), rtol=allowed, atol=allowed * float(a.abs().max()))


PACKAGE = Path(inn.__file__).parent
PROGRAM = next((p for p in (PACKAGE / "bin" / "inn", PACKAGE.parents[1] / "bin" / "inn") if p.exists()), None)
TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--no-python")
of_program = pytest.mark.skipif(PROGRAM is None, reason="the program inn was not built")


def environment():
    return {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}


def program(*arguments, launcher=()):
    done = subprocess.run([*launcher, str(PROGRAM), *map(str, arguments)], env=environment(), capture_output=True, text=True,
                          timeout=200)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def kill(argument):
    """End all processes that have this argument: torchrun's children are in sessions of their own."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if argument in (process / "cmdline").read_text().split("\0"):
                os.kill(int(process.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass


def difference(a, b):
    ours, theirs = (torch.export.load(path).state_dict for path in (a, b))
    assert ours.keys() == theirs.keys()
    return max((ours[name] - theirs[name]).abs().max().item() for name in ours)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A network and data for the program, in files."""
    folder = tmp_path_factory.mktemp("source")
    torch.manual_seed(0)
    x, y = torch.randn(600, 1, 8, 8), torch.randint(0, 10, (600,))
    torch.save({"inputs": x, "labels": y}, folder / "data.pt")
    # Smooth: by a ReLU the rounding of a sum over ranks grows to 1e-3 within 800 steps.
    layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 48), nn.Tanh(), nn.Linear(48, 32), nn.Tanh(), nn.Linear(32, 10))
    batch = torch.export.Dim("batch")
    torch.export.save(torch.export.export(layers.eval(), (x[:2],), dynamic_shapes=({0: batch},)), folder / "network.pt2")
    return folder


@of_program
def test_the_program_in_several_processes(source, tmp_path):
    recipe = ("--data", source / "data.pt", "--epochs", 2, "--batch-size", 90, "--widths", "uniform:0.25,1", "--seed", 3)
    alone = program("train", source / "network.pt2", "-o", tmp_path / "alone.pt2", *recipe)
    shared = program("train", source / "network.pt2", "-o", tmp_path / "shared.pt2", *recipe, launcher=TORCHRUN)
    assert difference(tmp_path / "alone.pt2", tmp_path / "shared.pt2") < 1e-6
    assert alone.count("Wrote") == shared.count("Wrote") == 1  # one rank prints
    cut = ("--keep", 0.5, "--method", "quadrature", "--calibration", source / "data.pt", "--samples", 320)
    program("resample", tmp_path / "alone.pt2", "-o", tmp_path / "half.pt2", *cut)
    program("resample", tmp_path / "alone.pt2", "-o", tmp_path / "half2.pt2", *cut, launcher=TORCHRUN)
    assert difference(tmp_path / "half.pt2", tmp_path / "half2.pt2") < 1e-6


@of_program
def test_a_killed_run_goes_on_with_another_number_of_processes(source, tmp_path):
    recipe = ("--data", source / "data.pt", "--epochs", 40, "--batch-size", 30, "--widths", "uniform:0.25,1",
              "--learning-rate", 0.01)
    program("train", source / "network.pt2", "-o", tmp_path / "alone.pt2", *recipe)
    kept = tmp_path / "run.checkpoint"
    arguments = ("train", source / "network.pt2", "-o", tmp_path / "shared.pt2", *recipe, "--checkpoint", kept,
                 "--checkpoint-interval", 5)
    run = subprocess.Popen([*TORCHRUN, str(PROGRAM), *map(str, arguments)], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    first = None
    while run.poll() is None:  # until it has gone on from the first checkpoint
        if kept.exists():
            written = kept.stat().st_mtime_ns
            if first is not None and written != first:
                break
            first = written
        time.sleep(0.02)
    assert run.poll() is None, "the run ended before it could be killed"
    kill(str(tmp_path / "shared.pt2"))
    run.wait()
    assert not (tmp_path / "shared.pt2").exists()
    program(*arguments, "--resume")
    assert difference(tmp_path / "alone.pt2", tmp_path / "shared.pt2") < 1e-5


@of_program
def test_a_process_that_fails_ends_the_others(source, tmp_path):
    script = f'if [ "$RANK" = 1 ]; then exit 3; fi; exec {PROGRAM} train {source}/network.pt2 -o {tmp_path}/out.pt2 ' \
             f"--data {source}/data.pt"
    started = time.monotonic()
    done = subprocess.run([*TORCHRUN, "bash", "-c", script], env=environment(), capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and "exitcode  : 3" in done.stderr
    assert time.monotonic() - started < 60 and not (tmp_path / "out.pt2").exists()


@of_program
def test_an_incomplete_environment_is_an_error(source, tmp_path):
    for given, message in (({"WORLD_SIZE": "2"}, "RANK is not"), ({"WORLD_SIZE": "x"}, "must be a number")):
        done = subprocess.run([str(PROGRAM), "train", source / "network.pt2", "-o", tmp_path / "out.pt2", "--data",
                               source / "data.pt"], env=environment() | given, capture_output=True, text=True)
        assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1
