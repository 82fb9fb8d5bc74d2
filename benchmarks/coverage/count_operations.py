"""Compares the multiply-adds of `inn cost` with torch.utils.flop_counter on many networks.

    python count_operations.py PROGRAM FOLDER [--only GLOB]

PROGRAM is build/release/bin/inn. Each network is exported to FOLDER and removed again; a line for each says what both count, for
one input. The flop counter, which counts two operations a multiply-add, knows no recurrent layers. Ends with 1 where one differs.
"""

import argparse
import fnmatch
import json
import pathlib
import subprocess
import sys
import warnings

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import networks


def counts(program, make, archive):
    torch.manual_seed(0)
    module, inputs = make()
    torch.export.save(torch.export.export(module.eval(), inputs, strict=False), archive)
    found = subprocess.run([program, "cost", str(archive), "--json"], capture_output=True, text=True, check=False)
    if found.returncode != 0:
        raise RuntimeError(found.stderr.strip())
    one = [x[:1] if isinstance(x, torch.Tensor) else x for x in inputs]
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module(*one)
    return json.loads(found.stdout)["macs"], counter.get_total_flops() // 2


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--only", default="*")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    options.folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for _, name, make in networks.all_networks():
        if not fnmatch.fnmatch(name, options.only):
            continue
        archive = options.folder / f"{name}.pt2"
        try:
            ours, torchs = counts(options.program, make, archive)
            line = f"{ours} multiply-adds" + ("" if ours == torchs else f", but torch counts {torchs}")
            failed += ours != torchs
        except Exception as error:  # noqa: BLE001: reported in its line
            failed += 1
            line = f"{type(error).__name__}: {str(error)[:300]}"
        print(f"{name}: {line}", flush=True)
        archive.unlink(missing_ok=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
