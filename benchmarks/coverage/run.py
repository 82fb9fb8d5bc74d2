"""Exports many networks, verifies their groups, halves their widths, runs the result in Python and compares the costs.

    python run.py PROGRAM FOLDER [--only GLOB] [--skip GLOB] [--each] [--timeout SECONDS] [--keep-archives]

PROGRAM is build/release/bin/inn_coverage. Writes FOLDER/results.json after every network, so that an interrupted run goes on
where it was; prints a line for each. Each network is a process of its own: one that takes too long or too much memory stops
nothing but itself. table.py makes the page of the docs of it.
"""

import argparse
import fnmatch
import json
import multiprocessing
import os
import pathlib
import resource
import subprocess
import sys
import time
import warnings

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "network"))
import load_check  # noqa: E402
import networks  # noqa: E402

# Two runs of one network, its sums in another order.
load_check.TOLERANCE = 1e-4


def count_operations(module, inputs):
    """Returns the multiply-adds by torch's own shapes. The counter counts two operations for each, and knows no recurrent layers."""
    module.requires_grad_(False)  # the counter's hooks want a gradient of every output that may have one
    torch.backends.mha.set_fastpath_enabled(False)  # one operator for a whole layer, which the counter does not know
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module(*inputs)
    return counter.get_total_flops() // 2


def export(make, path, report):
    torch.manual_seed(0)
    module, inputs = make()
    module = module.eval()
    report["parameters"] = sum(parameter.numel() for parameter in module.parameters())
    if not path.exists():
        # A dynamic batch where the network allows one.
        batch = tuple({0: torch.export.Dim.AUTO} if isinstance(x, torch.Tensor) and x.dim() else None for x in inputs)
        program = torch.export.export(module, inputs, dynamic_shapes=batch, strict=False)
        partial = path.with_suffix(".partial.pt2")
        torch.export.save(program, partial)
        partial.rename(path)
    try:
        report["torch_macs"] = count_operations(module, inputs)
    except Exception as error:  # noqa: BLE001: the counter's own limits
        report["torch_macs_error"] = f"{type(error).__name__}: {str(error)[:200]}"


def measure(program, archive, half, each):
    command = [program, str(archive), str(half)] + (["--each"] if each else [])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return {"failures": [f"exit code {done.returncode}: {done.stderr.strip()[-500:]}"]}
    report["memory_gib"] = round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20, 2)
    written = half.with_suffix(".pt2")
    if written.exists() and half.with_suffix(".pt").exists():
        try:
            report["failures"] += [f"Python: {text}" for text in load_check.check(written, half.with_suffix('.pt'), every_size=True)]
        except Exception as error:  # noqa: BLE001: any failure to load or run is a finding
            report["failures"].append(f"Python: {type(error).__name__}: {error}")
    return report


def examine(options, make, archive, half, pipe):
    """What a process of its own does for one network. Sends what it knows so far after each step."""
    os.setsid()  # so that the programs it starts end with it
    report = {}
    start = time.time()
    try:
        export(make, archive, report)
        report["export_s"] = round(time.time() - start, 1)
    except Exception as error:  # noqa: BLE001: reported in the table
        report["failures"] = [f"export: {type(error).__name__}: {str(error)[:300]}"]
    pipe.send(report)
    if "failures" not in report:
        report.update(measure(options.program, archive, half, options.each))
        pipe.send(report)


def watched(options, *arguments):
    """Runs `examine` in a child of this process, for so long at most."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=examine, args=(options, *arguments, sender))
    child.start()
    sender.close()
    report, deadline = {}, time.time() + options.timeout
    try:
        while receiver.poll(max(0.0, deadline - time.time())):
            report = receiver.recv()
    except EOFError:
        child.join()
        if "failures" not in report:
            report["failures"] = [f"{'program' if report else 'export'}: ended by signal {-(child.exitcode or 0)}"]
        return report
    os.killpg(child.pid, 9)
    child.join()
    report["failures"] = [f"{'program' if report else 'export'}: not finished in {options.timeout} s"]
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", default="*")
    parser.add_argument("--skip", default="", help="a glob of names to leave out")
    parser.add_argument("--each", action="store_true", help="prove every group by itself, not all at once")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for one network")
    parser.add_argument("--keep-archives", action="store_true")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    options.folder.mkdir(parents=True, exist_ok=True)
    record = options.folder / "results.json"
    results = json.loads(record.read_text()) if record.exists() else {}
    for family, name, make in networks.all_networks():
        if name in results or not fnmatch.fnmatch(name, options.only) or fnmatch.fnmatch(name, options.skip):
            continue
        start = time.time()
        archive, half = options.folder / f"{name}.pt2", options.folder / f"{name}-half"
        report = {"family": family, **watched(options, make, archive, half)}
        report["total_s"] = round(time.time() - start, 1)
        results[name] = report
        record.write_text(json.dumps(results, indent=1))
        print(name, "; ".join(report["failures"]) or "ok", f"({report['total_s']} s)", flush=True)
        for path in (half.with_suffix(".pt2"), half.with_suffix(".pt"), *([] if options.keep_archives else [archive])):
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
