"""Prints the results of run.py as a Markdown table: means over seeds, and the largest dip between neighboring widths.

    python benchmarks/elastic/table.py FOLDER/NAME.json

"dip" is the largest drop of the mean at an intermediate width below the straight line between its neighbors.
"""

import json
import pathlib
import statistics
import sys


def dip(means):
    """means: accuracy by width, widths descending."""
    widths = list(means)
    found = 0.0
    for left, middle, right in zip(widths, widths[1:], widths[2:]):
        share = (float(left) - float(middle)) / (float(left) - float(right))
        line = means[left] + share * (means[right] - means[left])
        found = max(found, line - means[middle])
    return found


def main():
    document = json.loads(pathlib.Path(sys.argv[1]).read_text())
    widths = [str(width) for width in document["widths"]]
    print("| | seeds | " + " | ".join(widths) + " | dip |")
    print("| --- | ---: |" + " ---: |" * (len(widths) + 1))
    for name, row in document["rows"].items():
        runs = row["accuracies"]
        means = {width: statistics.mean(run[width] for run in runs) for width in runs[0]}
        cells = [f"{means[width]:.2f}" if width in means else "" for width in widths]
        cells.append(f"{dip(means):.2f}" if len(means) > len(widths) else "")
        print(f"| {name} | {len(runs)} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
