"""Latency of networks at several widths by what runs them: the table of docs/deploy.md.

    python executors.py PROGRAM [--network zoo:resnet18 …] [--widths 1,0.75,0.5,0.25] [--threads 1]

PROGRAM is build/release/bin/inn, with example_compiled_package beside it (make examples). Every figure is the median of runs on one image, in one process, on the same threads.
"""

import argparse
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import onnxruntime
import torch


INPUTS = {"zoo:resnet18": (3, 224, 224), "zoo:mobilenet_v2": (3, 224, 224), "zoo:small_cnn": (1, 28, 28)}


def median_milliseconds(run, seconds=2.0):
    for _ in range(3):
        run()
    times, started = [], time.perf_counter()
    while time.perf_counter() - started < seconds or len(times) < 5:
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    return 1e3 * statistics.median(times)


def executors(path, threads):
    """Yield (name, function of the input) for each way to run the network at PATH.pt2 and PATH.onnx."""
    program = torch.export.load(f"{path}.pt2")
    module = program.module()
    yield "torch, eager", module
    yield "torch.compile", torch.compile(module, dynamic=False)
    package = torch._inductor.aoti_compile_and_package(program, package_path=f"{path}-aoti.pt2")
    yield "AOTInductor", torch._inductor.aoti_load_package(package)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(f"{path}.onnx", options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    yield "onnxruntime", lambda x: session.run(None, {name: x.numpy()})


def from_cpp(folder, path, threads):
    """Yield (name, milliseconds) of what examples/compiled_package.cpp times without Python."""
    told = subprocess.run([folder / "example_compiled_package", f"{path}.pt2", f"{path}-aoti.pt2", str(threads), "1"], check=True,
                          capture_output=True, text=True).stdout
    for name, found in re.findall(r"^(executor|AOTInductor) +([\d.]+) ms", told, re.MULTILINE):
        yield {"executor": "inn, C++", "AOTInductor": "AOTInductor, C++"}[name], float(found)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--network", nargs="+", default=list(INPUTS))
    parser.add_argument("--widths", default="1,0.75,0.5,0.25")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = {}
    widths = options.widths.split(",")
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        for network in options.network:
            for width in widths:
                path = Path(folder) / f"{network.removeprefix('zoo:')}-{width}"
                for end in (".pt2", ".onnx"):
                    subprocess.run([options.program, "export", f"{network}:{width}", "-o", f"{path}{end}", "--fold-batch-norm"], check=True,
                                   stdout=subprocess.DEVNULL)
                x = torch.randn(1, *INPUTS.get(network, (3, 224, 224)))
                for name, run in executors(path, options.threads):
                    rows.setdefault((network, name), {})[width] = median_milliseconds(lambda run=run, x=x: run(x))
                for name, time_taken in from_cpp(Path(options.program).parent, path, options.threads):
                    rows.setdefault((network, name), {})[width] = time_taken
                print(network, width, *(f"{name}: {times[width]:.2f} ms" for (of, name), times in rows.items() if of == network), flush=True)
    print("| network | run by |", " | ".join(f"width {width}" for width in widths), "|\n| --- | --- |", " --- |" * len(widths))
    for (network, name), times in rows.items():
        print(f"| {network.removeprefix('zoo:')} | {name} |", " | ".join(f"{times[width]:.3g} ms" for width in widths), "|")


if __name__ == "__main__":
    main()
