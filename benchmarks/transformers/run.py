"""Resamples the transformers of train.py by every method and measures the loss of accuracy.

    python run.py PROGRAM FOLDER [--network vit|decoder] [--keep F] [--only METHOD…] [--cuts CUT…]

PROGRAM is build/release/bin/inn. Each kind of group is cut separately, then all kinds together. Prints a table per network, in
Markdown: points of accuracy lost and the increase of the loss, or the perplexity. Writes FOLDER/results.json after every run; results in it are not run again.
"""

import argparse
import json
import pathlib
import subprocess
import time

METHODS = (
    "quadrature",
    "l1 --refit",
    "interpolate --refit",
    "fold --refit",
    "quadrature --no-refit",
    "l1",
    "interpolate",
    "fold",
)

# Of each network the groups of each cut, by the module whose outputs they are.
CUTS = {
    "vit": {
        "MLP": ["*.mlp.fc1"],
        "heads": ["*.attn.qkv:0"],
        "head dimension": ["*.attn.qkv:1"],
    },
    "decoder": {
        "MLP": ["*.mlp.gate"],
        "heads": ["*.attn.q_proj"],
        "q/k head dimension": ["*.attn", "*.attn:0"],
        "v head dimension": ["*.attn.v_proj"],
    },
}
for cuts in CUTS.values():
    cuts["all"] = [pattern for patterns in cuts.values() for pattern in patterns]


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def evaluated(program, model, test):
    return run([program, "eval", model, "--data", test, "--json"])["results"][0]


def measure(options, network, patterns, method):
    source, half = options.folder / f"{network}.pt2", options.folder / f"{network}-cut.pt2"
    command = [options.program, "resample", source, "-o", half, "--keep", options.keep, "--grid", "uniform", "--groups", *patterns]
    command += ["--method", *method.split(), "--calibration", options.folder / f"{network}-calibration.pt", "--json"]
    if not method.endswith("--no-refit") and ("--refit" in method or method == "quadrature"):
        command += ["--report", options.folder / f"{network}-report.json"]
    start = time.time()
    made = run(command)
    seconds = time.time() - start
    result = evaluated(options.program, half, options.folder / f"{network}-test.pt")
    return {"parameters": made["parameters"]["after"], "seconds": round(seconds, 1), **result}


def figure(network, source, result):
    if network == "vit":
        return f"{100 * (source['accuracy'] - result['accuracy']):.1f} ({result['loss'] - source['loss']:.3f})"
    return f"{result['perplexity']:.2f}"


def table(network, results, keep):
    source = results[network]
    cuts = list(CUTS[network])
    print(f"\n{network}: {source['parameters']} parameters, ", end="")
    print(f"accuracy {100 * source['accuracy']:.2f} %" if network == "vit" else f"perplexity {source['perplexity']:.3f}")
    print(f"| keep {keep} | " + " | ".join(cuts) + " |")
    print("| --- |" + " --- |" * len(cuts))
    for method in METHODS:
        found = [results.get(f"{network}, {keep}, {cut}, {method}") for cut in cuts]
        if any(found):
            print(f"| `{method}` | " + " | ".join(figure(network, source, result) if result else "" for result in found) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--network", choices=tuple(CUTS), action="append", help="only this; may be repeated")
    parser.add_argument("--keep", default="0.5")
    parser.add_argument("--only", nargs="+", default=METHODS, help="methods")
    parser.add_argument("--cuts", nargs="+", help="kinds of groups")
    options = parser.parse_args()
    record = options.folder / "results.json"
    results = json.loads(record.read_text()) if record.exists() else {}

    def keep(name, result):
        results[name] = result
        record.write_text(json.dumps(results, indent=1))

    networks = [network for network in options.network or CUTS if (options.folder / f"{network}.pt2").exists()]
    for network in networks:
        source = options.folder / f"{network}.pt2"
        if network not in results:
            parameters = run([options.program, "cost", source, "--json"])["parameters"]
            keep(network, {"parameters": parameters, **evaluated(options.program, source, options.folder / f"{network}-test.pt")})
        for cut, patterns in CUTS[network].items():
            for method in options.only:
                name = f"{network}, {options.keep}, {cut}, {method}"
                if name in results or (options.cuts and cut not in options.cuts):
                    continue
                keep(name, measure(options, network, patterns, method))
                print(f"{name}: {figure(network, results[network], results[name])}", flush=True)
    for network in networks:
        table(network, results, options.keep)


if __name__ == "__main__":
    main()
