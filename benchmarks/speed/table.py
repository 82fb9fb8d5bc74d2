"""Writes docs/speed.md from what the programs of this folder print.

    python table.py PAGE.md FOLDER

FOLDER holds sampling.json, step.json, executor.json, resample.json, and where they were run ordering.json and data_loading.json.
`make bench` makes them and calls this.
"""

import json
import pathlib
import sys

HEAD = """# Speed

Made by the programs of `benchmarks/speed`, which `make bench` runs, with libtorch {torch}. Each case runs its contenders in turn, round after round, so that what else
the machine does touches all alike. *Ratio* is that of a round's time to the time of the first contender in the same round: its median,
and in brackets the 10th and 90th percentile.
"""

TEXT = {
    "step": """## A training step

Forward, backward and SGD step with momentum of an integral model (`inn::convert` of the zoo's network) against the same C++ module
of plain torch. Where widths change, a round is one step at each of the widths 1, 0.75, 0.5 and 0.25, against the modules built at these
widths. All source weights learn at every width, so the optimizer's work does not shrink with it: in the small MLP one sees that. Memory:
the highest that the allocator gave out during a step, of the plain one's at full width.
""",
    "sampling": """## Sampling

A tensor sampled at half its width by cubic convolution (four taps), in one pass over memory, against a copy of the tensor and against
the same by `index_select`.
""",
    "executor": """## Inference

`Network::forward` against the C++ module that it was traced from; at width 0.5 the resampled network against the module built at that
width. The last two contenders are the same network with its batch norms folded (`inn resample --keep 1 --fold-batch-norm`) and with its
channels last too (`--channels-last`). One image runs on one thread.
""",
    "resample": """## Resampling, conversion, reading

On nested grids (the default) a width picks channels; on uniform grids each of its channels is a sum of four by cubic convolution.
The ordering of channels is what a conversion takes its time for; groups are ordered side by side, one a thread.
""",
    "ordering": """## Ordering

`shortest_path` with its default number of steps, and fast-tsp (PyPI), on the same cost matrices: what the path is longer than the best
known one, the shortest of these two and of ours after a long search. The start is the order as it comes.
""",
    "data_loading": """## Images from files

The share of a training step that waits for images (JPEG, 256 pixels), by the number of threads that decode them.
""",
}


def contest_table(document):
    memory = any("peak_memory_ratio" in row for case in document["cases"] for row in case["contenders"])
    lines = [f"| case | contender | ms | ratio |{' memory |' if memory else ''}",
             f"| --- | --- | ---: | --- |{' ---: |' if memory else ''}"]
    for case in document["cases"]:
        for place, row in enumerate(case["contenders"]):
            ratio = f"{row['ratio']:.2f} ({row['ratio_p10']:.2f}–{row['ratio_p90']:.2f})" if place else "1"
            line = f"| {case['case'] if place == 0 else ''} | {row['name']} | {row['median_ms']:.4g} | {ratio} |"
            if memory:
                line += f" {row['peak_memory_ratio']:.2f} |" if place else " 1 |"
            lines.append(line)
    return lines


def ordering_table(document):
    lines = ["| nodes | start | seconds | excess | fast-tsp, 1 s |", "| --- | ---: | ---: | ---: | ---: |"]
    for case in document["cases"]:
        lines.append(f"| {case['case']} | +{100 * case['start_excess']:.0f} % | {case['seconds']:.2f} | "
                     f"+{100 * case['excess']:.2f} % | +{100 * case['fast_tsp_excess']:.2f} % |")
    return lines


def data_table(document):
    lines = ["| network | threads that decode | waits |", "| --- | ---: | ---: |"]
    for case in document["results"]:
        lines.append(f"| {document['network']}, {document['size']} pixels, batch {document['batch']} | {case['workers']} | "
                     f"{100 * case['waiting_share']:.1f} % |")
    return lines


def main():
    page, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    tables = {"ordering": ordering_table, "data_loading": data_table}
    parts, head = [], {}
    for name, text in TEXT.items():
        file = folder / f"{name}.json"
        if not file.exists():
            print(f"{file} is not there: left out", file=sys.stderr)
            continue
        document = json.loads(file.read_text())
        head = head or document
        threads = f"Threads: {document['threads']}.\n\n" if "threads" in document else ""
        parts.append(text + "\n" + threads + "\n".join(tables.get(name, contest_table)(document)) + "\n")
    page.write_text(HEAD.format(torch=head["torch"]) + "\n" + "\n".join(parts))


if __name__ == "__main__":
    main()
