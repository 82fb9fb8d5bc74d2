"""Trains the elastic models of the zoo, and writes each with its card: src/zoo/trained/NAME.pt2 and NAME.json.

    python train.py PROGRAM FOLDER [--only NAME…] [--threads 2] [--seed 0] [--docs docs/zoo.md]

PROGRAM is build/release/bin/inn. The ordinary network is trained first, and from it the integral model at random widths. The card has the recipe,
the commands and the accuracy on the 10,000 test images at ten widths, measured by `inn eval`. Models in FOLDER are kept, so that an
interrupted run goes on. --docs writes the table of all cards between the marks of docs/zoo.md.
"""

import argparse
import json
import re
import subprocess
import time
from pathlib import Path

WIDTHS = [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.25, 0.2]
PIXELS = ["--mean", "0.286", "--std", "0.353"]
ELASTIC = ["--widths", "uniform:0.2,1", "--width-rule", "sandwich:1", "--distill", "in-place"]
ADAMW = ["--optimizer", "adamw", "--weight-decay", "0.01", "--channels-last"]

# Each model: the network, what it is, and the options of the ordinary and of the elastic training.
MODELS = {
    "small_cnn@fashion-mnist": {
        "network": "zoo:small_cnn",
        "summary": "The network of the demo: three convolutions with batch norm, 32, 64 and 128 wide",
        "ordinary": [*ADAMW, "--epochs", "6", "--warmup-epochs", "0.5", "--learning-rate", "0.004", "--flip"],
        "elastic": [*ADAMW, "--epochs", "12", "--warmup-epochs", "1", "--learning-rate", "0.004", "--flip"],
    },
    "resnet20@fashion-mnist": {
        "network": "zoo:resnet20",
        "summary": "ResNet-20 (He et al., CVPR 2016)",
        "ordinary": [*ADAMW, "--epochs", "3", "--warmup-epochs", "0.3", "--learning-rate", "0.004", "--flip"],
        "elastic": [*ADAMW, "--epochs", "5", "--warmup-epochs", "0.5", "--learning-rate", "0.004", "--flip"],
    },
    "vit@fashion-mnist": {
        "network": "zoo:vit:0.3333",
        "summary": "Vision transformer of six blocks, width 64, two heads of 32 (Dosovitskiy et al., ICLR 2021)",
        "ordinary": [*ADAMW, "--epochs", "6", "--warmup-epochs", "1", "--learning-rate", "0.002", "--flip"],
        "elastic": [*ADAMW, "--epochs", "8", "--warmup-epochs", "1", "--learning-rate", "0.002", "--flip"],
    },
}


def run(program, *words):
    started = time.monotonic()
    done = subprocess.run([str(program), *map(str, words)], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout, time.monotonic() - started


def train(options, name):
    """Trains one model; returns its card."""
    model = MODELS[name]
    folder = options.folder
    ordinary, elastic, card = (folder / f"{name}{end}" for end in (".ordinary.pt2", ".pt2", ".json"))
    common = ["--data", "fashion-mnist", "--seed", options.seed, "--threads", options.threads]
    if card.exists():
        return json.loads(card.read_text())
    seconds = 0
    commands = []
    for source, made, words in ((model["network"], ordinary, model["ordinary"] + PIXELS), (ordinary, elastic, ELASTIC + model["elastic"])):
        command = ["train", source, "-o", made, *words, *common]
        commands.append("inn " + " ".join(str(word.name if isinstance(word, Path) else word) for word in command))
        print(commands[-1], flush=True)
        if not made.exists():
            seconds += run(options.program, *command, "--resume")[1]
    figures, _ = run(options.program, "eval", elastic, "--data", "fashion-mnist", "--calibration", "fashion-mnist",
                     "--widths", ",".join(map(str, WIDTHS)), "--json")
    rows = [{key: row[key] for key in ("width", "accuracy", "loss", "macs", "parameters") if key in row} for row in json.loads(figures)["results"]]
    record = json.loads(run(options.program, "cost", elastic, "--json")[0])
    made = {
        "name": name,
        "summary": model["summary"],
        "data": "Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, MIT licence), 60,000 training images of 28×28, one channel",
        "commands": commands,
        "seed": options.seed,
        "seconds": round(seconds),
        "threads": options.threads,
        "parameters": record["parameters"],
        "macs": record["macs"],
        "test_images": 10000,
        "widths": rows,
    }
    card.write_text(json.dumps(made, indent=2, ensure_ascii=False) + "\n")
    return made


def write_table(docs, cards):
    lines = ["| model | parameters | " + " | ".join(f"{width:g}" for width in WIDTHS) + " |", "| --- | --- |" + " --- |" * len(WIDTHS)]
    for card in cards:
        cells = " | ".join(f"{100 * row['accuracy']:.1f}" for row in card["widths"])
        lines.append(f"| `zoo:{card['name']}` | {card['parameters'] / 1000:.0f} k | {cells} |")
    text = docs.read_text()
    table = "<!-- trained -->\n" + "\n".join(lines) + "\n<!-- trained -->"
    docs.write_text(re.sub("<!-- trained -->.*<!-- trained -->", lambda _: table, text, flags=re.DOTALL))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--docs", type=Path)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    cards = []
    for name in options.only:
        card = train(options, name)
        cards.append(card)
        print(name, " ".join(f"{row['width']:g}: {100 * row['accuracy']:.1f}" for row in card["widths"]), f"{card['seconds']} s", flush=True)
    if options.docs:
        write_table(options.docs, cards)


if __name__ == "__main__":
    main()
