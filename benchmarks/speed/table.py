"""Writes docs/speed.md from the output of the programs of this folder.

    python table.py PAGE.md FOLDER

FOLDER holds sampling.json, step.json, executor.json, resample.json, and where they were run ordering.json, nodes.json and data_loading.json.
`make bench` makes them and calls this.
"""

import json
import pathlib
import sys

HEAD = """# Speed

Made by the programs of `benchmarks/speed`, which `make bench` runs, with libtorch {torch}. Each case runs its contenders alternately in
rounds, so that other load on the machine affects all of them equally. *Ratio* is the time divided by that of the first contender in the same
round: the median over rounds and, in brackets, the 10th and 90th percentile.
"""

TEXT = {
    "step": """## A training step

Forward, backward and SGD step with momentum of an integral model (`inn::convert` of the zoo's network), compared with the same C++ module
in plain torch. In the cases with several widths a round is one step at each of the widths 1, 0.75, 0.5 and 0.25, compared with modules built
at these widths. All source weights are trained at every width, so the cost of the optimizer does not shrink with the width, which shows in
the small MLP. Memory: the peak allocated during a step, relative to the plain module's at full width.
""",
    "sampling": """## Sampling

A tensor sampled at half its width by cubic convolution (four taps) in one pass over memory (*kernel*), compared with a copy of the tensor and
with the same operation by `index_select`.
""",
    "executor": """## Inference

`Network::forward` compared with the C++ module that it was traced from; at width 0.5, the resampled network compared with the module built at
that width. The last two contenders are the same network with batch norms folded (`inn resample --keep 1 --fold-batch-norm`) and additionally
in channels-last memory format (`--channels-last`). Batch 1 runs on one thread.
""",
    "resample": """## Resampling, conversion, reading

Nested grids (the default) select channels; on uniform grids each channel is a weighted sum of four by cubic convolution. Ordering the channels
takes most of the time of a conversion; groups are ordered in parallel, one per thread.
""",
    "ordering": """## Ordering

`shortest_path` with its default number of steps, and fast-tsp (PyPI), on the same cost matrices: the excess length over the best known path,
which is the shortest of these two and of ours after a long search. *start* is the excess of the given order.
""",
    "nodes": """## Choosing nodes

`choose_nodes` for a group with one consumer, whose kernels are of falling spectra in bases of their own; three quarters of the channels are kept. *error*: of the
consumer's outputs with the kernel's weights, relative to them; *by norms*: of the channels with the greatest products of activation and weights.
Above 1024 channels there are no exchanges.
""",
    "data_loading": """## Images from files

The fraction of a training step spent waiting for images (JPEG, 256 pixels), by the number of decoding threads.
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
    lines += ["", "Seconds for one wide group, its rows in one matrix:", "",
              "| channels × columns | threads | `distance_sums` (fpgm) | `path_cost` | `shortest_path` |",
              "| --- | ---: | ---: | ---: | ---: |"]
    for case in document.get("wide", []):
        lines.append(f"| {case['channels']} × {case['columns']} | {case['threads']} | {case['distance_sums_seconds']:.2f} | "
                     f"{case['path_cost_seconds']:.2f} | {case['shortest_path_seconds']:.2f} |")
    return lines


def nodes_table(document):
    lines = ["| channels | kept | threads | seconds | error | by norms |", "| ---: | ---: | ---: | ---: | ---: | ---: |"]
    for case in document["cases"]:
        lines.append(f"| {case['channels']} | {case['kept']} | {case['threads']} | {case['seconds']:.2f} | "
                     f"{100 * case['error']:.2f} % | {100 * case['error_by_norms']:.2f} % |")
    return lines


def data_table(document):
    lines = ["| network | decoding threads | waiting |", "| --- | ---: | ---: |"]
    for case in document["results"]:
        lines.append(f"| {document['network']}, {document['size']} pixels, batch {document['batch']} | {case['workers']} | "
                     f"{100 * case['waiting_share']:.1f} % |")
    return lines


def main():
    page, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    tables = {"ordering": ordering_table, "nodes": nodes_table, "data_loading": data_table}
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
