"""Accuracy of networks under attacks and corruptions: the table of docs/robustness.md.

    python robustness.py PROGRAM MODEL --calibration DATA --data DATA [--keep 0.7,0.5,0.3] [--mean M,M,M] [--std S,S,S] [--docs docs/robustness.md]

PROGRAM is build/release/bin/inn, MODEL a classifier of images. The inner channels of its blocks are cut by data-aware quadrature and by L1 with refit
layers; then `inn eval` measures every network. --docs writes the table between the page's marks.
"""

import argparse
import json
import re
import subprocess
import tempfile
from pathlib import Path

THREATS = [[], ["--corrupt", "noise:3"], ["--corrupt", "blur:3"], ["--corrupt", "contrast:3"], ["--attack", "fgsm:eps=1/255"],
           ["--attack", "pgd:eps=1/255,steps=10,restarts=2"]]
CUTS = ["quadrature", "l1"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("model")
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--keep", default="0.7,0.5,0.3")
    parser.add_argument("--groups", default="layer*.*.conv1")
    parser.add_argument("--mean", default="0.485,0.456,0.406")
    parser.add_argument("--std", default="0.229,0.224,0.225")
    parser.add_argument("--docs", type=Path)
    options = parser.parse_args()
    pixels = ["--mean", options.mean, "--std", options.std]
    lines = ["| network | " + " | ".join(" ".join(words[1:]) or "clean" for words in THREATS) + " |", "| --- |" + " ---: |" * len(THREATS)]
    with tempfile.TemporaryDirectory() as made:
        networks = [("source", options.model)]
        for method in CUTS:
            for keep in options.keep.split(","):
                path = Path(made) / f"{method}-{keep}.pt2"
                subprocess.run([options.program, "resample", options.model, "-o", path, "--keep", keep, "--groups", options.groups, "--method", method,
                                "--refit", "--calibration", options.calibration, "--samples", "1000", *pixels], check=True, stdout=subprocess.DEVNULL)
                networks.append((f"{'quadrature' if method == 'quadrature' else 'L1, refit'}, {keep} of the inner channels", path))
        for name, path in networks:
            cells = []
            for words in THREATS:
                found = subprocess.run([options.program, "eval", path, "--data", options.data, *pixels, *words, "--json"], check=True,
                                       capture_output=True, text=True)
                cells.append(f"{100 * json.loads(found.stdout)['results'][0]['accuracy']:.1f}")
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
            print(lines[-1], flush=True)
    if options.docs:
        table = "<!-- robustness -->\n" + "\n".join(lines) + "\n<!-- robustness -->"
        text = options.docs.read_text()
        options.docs.write_text(re.sub("<!-- robustness -->.*<!-- robustness -->", lambda _: table, text, flags=re.DOTALL))


if __name__ == "__main__":
    main()
