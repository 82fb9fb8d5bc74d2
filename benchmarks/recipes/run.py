"""Compares training recipes for all widths at the same number of passes through the network.

    python benchmarks/recipes/run.py PROGRAM FOLDER [--data DATA] [--test DATA] [--network NETWORK] [--epochs N]
        [--seeds N]

Every recipe of Table RECIPES trains an integral model of NETWORK in FOLDER, and is measured at each width with
statistics of batch norm measured there. A step of the sandwich rule with one random width is three passes, so
that recipes with one pass a step get three times the epochs. Prints a Markdown table, and FOLDER/results.json.
"""

import argparse
import json
import pathlib
import statistics
import subprocess

WIDTHS = "1,0.75,0.5,0.375,0.25"
LAW = ["--widths", "uniform:0.25,1"]
RANDOM = [*LAW, "--width-rule", "random"]
SANDWICH = [*LAW, "--width-rule", "sandwich:1"]
UNTAUGHT = [*SANDWICH, "--distill", "none"]
SOURCE = "SOURCE"
# Name, passes a step, options.
RECIPES = [
    ("one random width", 1, RANDOM),
    ("a random width for each group", 1, [*RANDOM, "--independent-widths"]),
    ("one random width, uniform grids", 1, [*RANDOM, "--grid", "uniform"]),
    ("three random widths", 3, [*LAW, "--width-rule", "random:3"]),
    ("sandwich", 3, UNTAUGHT),
    ("sandwich, uniform grids", 3, [*UNTAUGHT, "--grid", "uniform"]),
    ("sandwich, in place 0.5", 3, [*SANDWICH, "--distill", "in-place"]),
    ("sandwich, in place 1", 3, [*SANDWICH, "--distill", "in-place", "--distill-weight", "1"]),
    ("sandwich, source 0.5", 3, [*SANDWICH, "--distill", SOURCE]),
    ("one random width, source 0.5", 1, [*RANDOM, "--distill", SOURCE]),
    ("sandwich, averages", 3, [*UNTAUGHT, "--ema", "0.99"]),
]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=lambda path: str(pathlib.Path(path).resolve()))
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--data", default="fashion-mnist")
    parser.add_argument("--test", default="fashion-mnist", help="its test split is measured on")
    parser.add_argument("--network", default="zoo:small_cnn")
    parser.add_argument("--epochs", type=int, default=2, help="of recipes with three passes a step")
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    common = ["--mean", "0.286", "--std", "0.353", "--batch-size", "128", "--learning-rate", "0.05"]

    def inn(*words):
        done = subprocess.run([arguments.program, *words, "--json"], cwd=arguments.folder, check=True,
                              stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout)

    source = "source.pt2"
    inn("train", arguments.network, "-o", source, "--data", arguments.data, *common, "--epochs",
        str(arguments.epochs * 3))
    rows = []
    for name, passes, options in RECIPES:
        accuracies = []
        for seed in range(arguments.seeds):
            output = name.replace(" ", "-").replace(",", "") + f"-{seed}.pt2"
            words = [source if word == SOURCE else word for word in options]
            inn("train", arguments.network, "-o", output, "--data", arguments.data, *common, *words, "--seed",
                str(seed), "--epochs", str(arguments.epochs * 3 // passes))
            results = inn("eval", output, "--data", arguments.test, "--widths", WIDTHS, "--calibration",
                          arguments.data)["results"]
            accuracies.append([result["accuracy"] for result in results])
        means = [statistics.mean(column) for column in zip(*accuracies)]
        rows.append({"recipe": name, "accuracies": accuracies})
        print("| " + " | ".join([name, *(f"{100 * mean:.2f}" for mean in means)]) + " |", flush=True)
    (arguments.folder / "results.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
