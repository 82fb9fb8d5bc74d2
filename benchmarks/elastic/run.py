"""Compares one elastic model with networks trained separately at each width, with the same recipe and number of epochs.

    python benchmarks/elastic/run.py PROGRAM FOLDER NAME --network zoo:small_cnn --epochs 5 --seeds 3 -- RECIPE
    python benchmarks/elastic/run.py PROGRAM FOLDER NAME --network trained.pt2 --data images/ --test test/
        --calibration unlabelled/ --groups 'layer*.conv1' --conversion '--order nodes' --statistics '--flip'
        --epochs 2 -- RECIPE

RECIPE is given to every `inn train`, the separate networks' too, `--conversion` to those of integral models. A
separate network starts as the zoo's of that width, or, where NETWORK is a file, as that network resampled to the width
by quadrature of the data; a trained file is its own teacher. Every integral model is measured at each width with
statistics of batch norm measured there on the calibration data, augmented as `--statistics` says: as in training.
`--models` leaves others out, `--no-refit` the rows of refits. What is in FOLDER already is not made again. Writes
FOLDER/NAME.json; `table.py` makes the page of the documentation from such files.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

WIDTHS = [1, 0.75, 0.5, 0.25]
BETWEEN = [0.95, 0.9, 0.85, 0.8, 0.65, 0.6, 0.55, 0.4, 0.35, 0.3]
MODELS = ["random", "sandwich", "in-place", "distilled", "separate"]
LAW = ["--widths", "uniform:0.25,1"]


def main():
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("name")
    parser.add_argument("--network", required=True)
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--test", default="fashion-mnist")
    parser.add_argument("--calibration", default="fashion-mnist")
    parser.add_argument("--normalization", default="--mean 0.286 --std 0.353", help="'' for the network's own")
    parser.add_argument("--groups", default="*")
    parser.add_argument("--conversion", default="", help="options of conversion")
    parser.add_argument("--statistics", default="", help="options of calibration")
    parser.add_argument("--models", type=lambda text: text.split(","), default=MODELS, help="of " + ",".join(MODELS))
    parser.add_argument("--width-rule", default="sandwich:1", help="of all but the random ones")
    parser.add_argument("--no-refit", action="store_true")
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args(words[:split])
    if unknown := set(arguments.models) - set(MODELS):
        parser.error(f"--models: {', '.join(sorted(unknown))}: must be of {', '.join(MODELS)}")
    recipe = words[split + 1 :]
    sandwich = [*LAW, "--width-rule", arguments.width_rule]
    arguments.folder.mkdir(parents=True, exist_ok=True)
    paths = [arguments.network, arguments.data, arguments.test, arguments.calibration]
    paths = [str(pathlib.Path(path).resolve()) if pathlib.Path(path).exists() else path for path in paths]
    network, data, test, calibration = paths
    normalization = arguments.normalization.split()
    is_zoo = network.startswith("zoo:")
    groups = ["--groups", arguments.groups]
    statistics = ["--calibration", calibration, *arguments.statistics.split()]

    def inn(*command):
        done = subprocess.run([arguments.program, *command, "--json", "--threads", str(arguments.threads)],
                              cwd=arguments.folder, check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def train(start, output, seed, *options):
        """Trains, where it was not done before; returns the seconds it took."""
        record = arguments.folder / f"{output}.seconds"
        if not record.exists():
            begin = time.monotonic()
            inn("train", start, "-o", output, "--data", data, *normalization, "--epochs", str(arguments.epochs),
                "--seed", str(seed), "--resume", *recipe, *options)
            record.write_text(f"{time.monotonic() - begin:.1f}")
        return float(record.read_text())

    def accuracies(model, widths=None):
        """Measures, where it was not done before: an integral model at each width, a plain network as it is."""
        record = arguments.folder / f"{model}.accuracies"
        if not record.exists():
            options = ["--widths", ",".join(map(str, widths)), *statistics] if widths else []
            results = inn("eval", model, "--data", test, *normalization, *options)["results"]
            record.write_text(json.dumps([100 * result["accuracy"] for result in results]))
        found = json.loads(record.read_text())
        return dict(zip(map(str, widths), found)) if widths else found[0]

    def refit(model, widths, method):
        found = {}
        for width in widths:
            output = f"{pathlib.Path(model).stem}-{method}-{width}.pt2"
            options = ["--method", "quadrature"] if method == "quadrature" else ["--refit"]
            if not (arguments.folder / output).exists():
                inn("resample", model, "-o", output, "--keep", str(width), *groups, "--calibration", calibration,
                    "--samples", "1000", *normalization, *options)
            found[str(width)] = accuracies(output)
        return found

    every = sorted(WIDTHS + BETWEEN, reverse=True)
    narrow = WIDTHS[1:]
    rows = {}

    def add(row, seed, values, seconds=0.0):
        rows.setdefault(row, {"accuracies": [], "seconds": []})
        rows[row]["accuracies"].append(values)
        rows[row]["seconds"].append(seconds)
        told = "  ".join(f"{width} {value:.2f}" for width, value in values.items())
        print(f"{row}, seed {seed}: {told}", flush=True)
        document = {"network": arguments.network, "epochs": arguments.epochs, "seeds": arguments.seeds,
                    "recipe": recipe, "groups": arguments.groups, "conversion": arguments.conversion,
                    "widths": WIDTHS, "every": every, "rows": rows}
        (arguments.folder / f"{arguments.name}.json").write_text(json.dumps(document, indent=1))

    name = arguments.name
    if not is_zoo:  # the separate networks' start too
        add("data-aware resampling, not trained", 0, refit(network, narrow, "quadrature"))
    for seed in range(arguments.seeds):
        elastic = {"random": ("elastic, one random width a step", [*LAW, "--width-rule", "random"]),
                   "sandwich": ("elastic, sandwich", [*sandwich, "--distill", "none"]),
                   "in-place": ("elastic, sandwich, in place", [*sandwich, "--distill", "in-place"])}
        if not is_zoo:
            elastic["distilled"] = ("elastic, sandwich, distilled", [*sandwich, "--distill", network])
        for model, (row, options) in elastic.items():
            if model not in arguments.models:
                continue
            output = f"{name}-{model}-{seed}.pt2"
            seconds = train(network, output, seed, *groups, *arguments.conversion.split(), *options)
            add(row, seed, accuracies(output, every), seconds)
            if not arguments.no_refit:
                add(row + ", then refit", seed, refit(output, narrow, "refit"))
        if "separate" not in arguments.models:
            continue
        separate, seconds = {}, 0.0
        for width in WIDTHS:
            output, start = f"{name}-separate-{width}-{seed}.pt2", f"{network}:{width}"
            if not is_zoo:
                start = network if width == 1 else f"{pathlib.Path(network).stem}-quadrature-{width}.pt2"
            seconds += train(start, output, seed)
            separate[str(width)] = accuracies(output)
        add("trained separately", seed, separate, seconds)


if __name__ == "__main__":
    main()
