"""Exports many networks, proves the groups of each, cuts them to half and runs the result in Python.

    python run.py PROGRAM FOLDER [--only GLOB] [--skip GLOB] [--each] [--keep-archives]

PROGRAM is build/release/bin/inn_coverage. Writes FOLDER/results.json after every network, so that an interrupted run goes on
where it was; prints a line for each.
"""

import argparse
import fnmatch
import json
import pathlib
import subprocess
import sys
import time
import warnings

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "network"))
import load_check  # noqa: E402
import networks  # noqa: E402

# Two runs of one network, its sums in another order.
load_check.TOLERANCE = 1e-4


def export(make, path):
    torch.manual_seed(0)
    module, inputs = make()
    program = torch.export.export(module.eval(), inputs, strict=False)
    partial = path.with_suffix(".partial.pt2")
    torch.export.save(program, partial)
    partial.rename(path)


def measure(program, archive, half, each):
    command = [program, str(archive), str(half)] + (["--each"] if each else [])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        return {"failures": [f"exit code {done.returncode}: {done.stderr.strip()[-500:]}"]}
    written = half.with_suffix(".pt2")
    if written.exists() and half.with_suffix(".pt").exists():
        try:
            report["failures"] += [f"Python: {text}" for text in load_check.check(written, half.with_suffix(".pt"))]
        except Exception as error:  # noqa: BLE001: any failure to load or run is a finding
            report["failures"].append(f"Python: {type(error).__name__}: {error}")
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", default="*")
    parser.add_argument("--skip", default="", help="a glob of names to leave out")
    parser.add_argument("--each", action="store_true")
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
        report = {"family": family}
        try:
            if not archive.exists():
                export(make, archive)
            report["export_s"] = round(time.time() - start, 1)
            report.update(measure(options.program, archive, half, options.each))
        except Exception as error:  # noqa: BLE001: reported in the table
            report["failures"] = [f"export: {type(error).__name__}: {str(error)[:300]}"]
        report["total_s"] = round(time.time() - start, 1)
        results[name] = report
        record.write_text(json.dumps(results, indent=1))
        print(name, "; ".join(report["failures"]) or "ok", f"({report['total_s']} s)", flush=True)
        for path in (half.with_suffix(".pt2"), half.with_suffix(".pt"), *([] if options.keep_archives else [archive])):
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
