"""Measures the accuracy of a trained CIFAR-10 network after resampling without training: the tables of docs/resampling.md.

    python run.py PROGRAM MODEL CALIBRATION TEST FOLDER [--docs DOCS] [--only NAME,NAME] [--samples N] [--extra OPTIONS]

PROGRAM is build/release/bin/inn, MODEL the ResNet-20 as a .pt2; CALIBRATION and TEST are images as `inn` takes them. Each setting is one
run of `inn compare`, kept in FOLDER/NAME, so that an interrupted run goes on where it was; without FOLDER/NAME it is measured
anew. Writes FOLDER/tables.md; with --docs the figures go there, and the tables into DOCS/resampling.md.
"""

import argparse
import gzip
import json
import pathlib
import re
import shutil
import subprocess

INNER = ["--groups", "layer*.*.conv1"]
PIXELS = ["--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225"]
FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz")  # Debian: dataset-fashion-mnist

# What is measured: the words before its table, and the options of `inn compare`.
SETTINGS = {
    "inner": ("The inner channels of all nine blocks", [*INNER, "--keep", "0.7,0.5,0.3"]),
    "all": ("All widths, those of the residual streams too", ["--keep", "0.75,0.5"]),
    "samples": ("Half of the inner channels, by how many images are seen",
                [*INNER, "--keep", "0.5", "--methods", "quadrature", "--no-chosen"]),
    "shift": ("Calibrated on pictures of clothes (Fashion-MNIST in three equal colours) in place of CIFAR-10",
              [*INNER, "--keep", "0.7,0.5,0.3", "--methods", "quadrature,l1", "--no-chosen"]),
}
FIGURES = {
    "inner": "Accuracy against multiply-adds, the inner channels cut",
    "all": "Accuracy against multiply-adds, all widths cut",
    "samples": "Accuracy against the number of images",
}
SAMPLES = [32, 64, 128, 256, 512, 1000]
SIDE, LARGER_SIDE = 28, 32


def write_shifted(folder, count):
    """Writes images of Fashion-MNIST as CIFAR-10 records: three equal colours, a black margin, label 0."""
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(FASHION) as file:
        images = file.read(16 + count * SIDE * SIDE)[16:]
    margin = (LARGER_SIDE - SIDE) // 2
    records = bytearray()
    for start in range(0, len(images), SIDE * SIDE):
        plane = bytearray(LARGER_SIDE * LARGER_SIDE)
        for row in range(SIDE):
            at = (row + margin) * LARGER_SIDE + margin
            plane[at:at + SIDE] = images[start + row * SIDE:start + (row + 1) * SIDE]
        records += bytes(1) + plane * 3
    (folder / "data_batch_1.bin").write_bytes(records)


def measure(options, name, arguments):
    """Returns what `inn compare` says of one setting, from its folder where it is there."""
    folder = options.folder / name
    if not (folder / "compare.json").exists():
        calibration = options.calibration
        if name == "shift":
            calibration = options.folder / "clothes"
            write_shifted(calibration, options.samples)
        samples = [count for count in SAMPLES if count <= options.samples] if name == "samples" else [options.samples]
        command = [options.program, "compare", options.model, "--calibration", calibration, "--data", options.test, *PIXELS,
                   "--grid", "uniform", *arguments, *options.extra, "--samples", ",".join(map(str, samples)), "-o", folder]
        print(" ".join(map(str, command)), flush=True)
        subprocess.run(list(map(str, command)), check=True)
    return json.loads((folder / "compare.json").read_text())


def row_name(result):
    chosen = result["widths"] == "chosen"
    return f"`{result['method']}`" + (", widths chosen" if chosen else ", refit" if result["refit"] else "")


def lost(report, result):
    return "—" if "failure" in result else f"{100 * (report['source']['accuracy'] - result['accuracy']):.1f}"


def table(report, column, heading):
    """Rows of methods, columns by one key of the results: points of accuracy that are lost."""
    columns = list(dict.fromkeys(result[column] for result in report["results"]))
    rows = dict.fromkeys(row_name(result) for result in report["results"])
    cells = {(row_name(result), result[column]): lost(report, result) for result in report["results"]}
    lines = [f"| method | {' | '.join(f'{heading}{value:g}' for value in columns)} |", "| --- " * (len(columns) + 1) + "|"]
    lines += [f"| {row} | {' | '.join(cells[row, value] for value in columns)} |" for row in rows]
    return "\n".join(lines)


def tables(reports):
    """Returns the text of each setting."""
    return {name: table(report, "samples", "") if name == "samples" else table(report, "keep", "keep ")
            for name, report in reports.items()}


def write_docs(docs, folder, texts):
    """Puts each table with its figure between its marks in resampling.md, and the figures beside it."""
    page = docs / "resampling.md"
    text = page.read_text()
    for name, content in texts.items():
        if name in FIGURES:
            shutil.copy(folder / name / "compare.svg", docs / f"resampling_{name}.svg")
            content += f"\n\n![{FIGURES[name]}](resampling_{name}.svg)"
        marks = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text = re.sub(f"{marks[0]}\n.*?{marks[1]}", lambda _: f"{marks[0]}\n{content}\n{marks[1]}", text, flags=re.DOTALL)
    page.write_text(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("program", "model", "calibration", "test", "folder"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("--docs", type=pathlib.Path, help="the folder of resampling.md")
    parser.add_argument("--only", default=",".join(SETTINGS), help="names of settings")
    parser.add_argument("--samples", type=int, default=1000, help="images to calibrate on")
    parser.add_argument("--extra", type=str.split, default=[], help="further options of every inn compare, as '--together 2'")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    reports = {name: measure(options, name, SETTINGS[name][1]) for name in options.only.split(",")}
    texts = tables(reports)
    page = "\n\n".join(f"{SETTINGS[name][0]}. Points lost:\n\n{text}" for name, text in texts.items())
    (options.folder / "tables.md").write_text(page + "\n")
    print(page)
    if options.docs:
        write_docs(options.docs, options.folder, texts)


if __name__ == "__main__":
    main()
