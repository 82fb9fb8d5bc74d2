"""Compares our ordering with fast-tsp (PyPI) on the same cost matrices.

    python ordering.py PROGRAM OUT.json [--models FILE.pt2…] [--seconds S]

PROGRAM is build/release/bin/bench_ordering. fast-tsp gets --seconds for each; of the best known path (the shorter of fast-tsp's
and of ours after --long-seconds) the excess of each result is printed. Needs `pip install fast-tsp numpy`.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import fast_tsp
import numpy

# fast-tsp takes whole numbers up to this.
LARGEST = 65_535


def fast_path(cost, seconds):
    """The length of fast-tsp's open path: a tour through one more node that is near to all."""
    n = len(cost)
    whole = numpy.zeros((n + 1, n + 1), dtype=numpy.int64)
    whole[:n, :n] = numpy.rint(cost / cost.max() * LARGEST)
    tour = fast_tsp.find_tour(whole.tolist(), duration_seconds=seconds)
    at = tour.index(n)
    path = tour[at + 1:] + tour[:at]
    return float(sum(cost[a, b] for a, b in zip(path, path[1:])))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--models", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--long-seconds", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [options.program, folder, "--long-seconds", str(options.long_seconds)]
        command += ["--models", *options.models] if options.models else []
        document = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        for case in document["cases"]:
            n = case["nodes"]
            cost = numpy.fromfile(pathlib.Path(folder, case.pop("file")), dtype=numpy.float32)
            cost = cost.reshape(n, n).astype(numpy.float64)
            numpy.fill_diagonal(cost, 0)
            other = fast_path(cost, options.seconds)
            best = min(other, case["length"], case.pop("long_length"))
            case["excess"] = case["length"] / best - 1
            case["fast_tsp_seconds"] = options.seconds
            case["fast_tsp_excess"] = other / best - 1
            case["start_excess"] = case.pop("start") / best - 1
            print(f"{case['case']:45} {case['seconds']:6.2f} s  +{100 * case['excess']:.3f} %   "
                  f"fast-tsp {options.seconds:g} s  +{100 * case['fast_tsp_excess']:.3f} %", flush=True)
    options.output.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
