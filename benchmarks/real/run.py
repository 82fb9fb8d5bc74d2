"""Makes real trained networks smaller by every method, and measures what is left of them, time and memory.

    python run.py PROGRAM FOLDER [--network NAME…] [--cut NAME…] [--method METHOD…] [--keep F…] [--samples N]

PROGRAM is build/release/bin/inn. FOLDER has, for each network, NAME.pt2, NAME-calibration.pt (unlabelled inputs) and NAME-test.pt (inputs with
labels); networks that are not there are left out, and named. Prints one Markdown table per network. Writes FOLDER/results.json after every run;
results in it are not run again.
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import time

METHODS = ("quadrature", "quadrature --no-refit", "l1", "l1 --refit", "wanda", "wanda --refit", "fluctuation", "fluctuation --refit")
STREAM_METHODS = ("rotation", "rotation --no-refit", "quadrature", "quadrature --no-refit", "l1", "l1 --refit")

# Of each network the groups that are cut with the fractions and methods, and the metric.
NETWORKS = {
    "efficientnet_lite0": {
        "samples": 500,
        "cuts": {"expanded channels": (["*_expand_conv"], [0.9, 0.75, 0.5], METHODS), "all": ([], [0.9], METHODS)},
        "metric": "accuracy",
    },
    "crepe": {"samples": 512, "cuts": {"all": ([], [0.75, 0.5], METHODS)}, "metric": "within one bin"},
    "smollm2": {
        "samples": 64,
        "cuts": {
            "MLP": (["*.mlp.gate"], [0.75, 0.5], METHODS),
            "heads": (["*.attention.q:0"], [0.667], METHODS),
            "stream": (["embed:1"], [0.9], STREAM_METHODS),
        },
        "metric": "perplexity",
    },
}


def run(command):
    """Runs the program; returns what it printed, the seconds, and the most memory in GB."""
    started = time.monotonic()
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out, error = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: {error.strip()}")
    return json.loads(out), time.monotonic() - started, usage.ru_maxrss / 1e6


def within_one_bin(source, network, inputs):
    """How often the largest output is that of the source or next to it."""
    import torch

    tones = torch.load(inputs)
    tones = tones["inputs"] if isinstance(tones, dict) else tones
    places = []
    for path in (source, network):
        module = torch.export.load(path).module()
        with torch.no_grad():
            places.append(torch.cat([module(part).argmax(1) for part in tones.split(2)]))
    return ((places[0] - places[1]).abs() <= 1).double().mean().item(), len(tones)


def judged(options, name, network):
    """The metric, its standard error, and the loss."""
    test = options.folder / f"{name}-test.pt"
    metric = NETWORKS[name]["metric"]
    if metric == "within one bin":
        rate, count = within_one_bin(options.folder / f"{name}.pt2", network, test)
        return {"value": rate, "error": math.sqrt(rate * (1 - rate) / count)}
    found, _, _ = run([options.program, "eval", network, "--data", test, "--json"])
    found = found["results"][0]
    if metric == "perplexity":
        return {"value": found["perplexity"], "loss": found["loss"]}
    rate = found["accuracy"]
    return {"value": rate, "error": math.sqrt(rate * (1 - rate) / found["count"]), "loss": found["loss"]}


def measure(options, name, patterns, keep, method):
    source, small = options.folder / f"{name}.pt2", options.folder / f"{name}-cut.pt2"
    command = [options.program, "resample", source, "-o", small, "--keep", keep, "--method", *method.split(), "--json"]
    command += ["--calibration", options.folder / f"{name}-calibration.pt", "--samples", options.samples or NETWORKS[name]["samples"]]
    if patterns:
        command += ["--groups", *patterns]
    made, seconds, memory = run(command)
    result = judged(options, name, small)
    small.unlink()
    return {**result, "seconds": seconds, "gigabytes": memory, "parameters": made["parameters"]["after"]}


def text_of(result, metric):
    if metric == "perplexity":
        return f"{result['value']:.2f}"
    return f"{100 * result['value']:.1f} ± {100 * result['error']:.1f}"


def table(name, results, source):
    network = NETWORKS[name]
    columns = [(cut, keep) for cut, (_, fractions, _) in network["cuts"].items() for keep in fractions]
    lines = [f"{name}: {network['metric']} {text_of(source, network['metric'])} of the source", ""]
    lines.append("| method | " + " | ".join(f"{cut}, {keep:g}" for cut, keep in columns) + " |")
    lines.append("| --- |" + " --- |" * len(columns))
    for method in dict.fromkeys((*METHODS, *STREAM_METHODS)):
        cells = []
        for cut, keep in columns:
            result = results.get(f"{name}/{cut}/{keep}/{method}")
            cells.append(f"{text_of(result, network['metric'])} ({result['seconds']:.0f} s, {result['gigabytes']:.1f} GB)" if result else "–")
        if set(cells) != {"–"}:
            lines.append(f"| `{method}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--network", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--cut", nargs="+")
    parser.add_argument("--method", nargs="+")
    parser.add_argument("--keep", nargs="+", type=float)
    parser.add_argument("--samples", type=int)
    options = parser.parse_args()
    file = options.folder / "results.json"
    results = json.loads(file.read_text()) if file.exists() else {}

    def once(key, work):
        if key not in results:
            results[key] = work()
            file.write_text(json.dumps(results, indent=1))
        return results[key]

    for name in options.network:
        if not (options.folder / f"{name}.pt2").exists():
            print(f"{name}: left out, {options.folder / name}.pt2 is not there\n")
            continue
        source = once(f"{name}/source", lambda: judged(options, name, options.folder / f"{name}.pt2"))
        for cut, (patterns, fractions, methods) in NETWORKS[name]["cuts"].items():
            if options.cut and cut not in options.cut:
                continue
            for keep in fractions:
                if options.keep and keep not in options.keep:
                    continue
                for method in options.method or methods:
                    once(f"{name}/{cut}/{keep}/{method}", lambda: measure(options, name, patterns, keep, method))
        print(table(name, results, source), "\n", flush=True)


if __name__ == "__main__":
    main()
