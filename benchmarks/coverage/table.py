"""Writes docs/coverage.md: the groups found in many networks.

    python table.py PAGE.md FOLDER…

Reads FOLDER/results.json as run.py writes it; where two folders have one network, the last counts.
"""

import collections
import importlib.metadata
import json
import pathlib
import re
import sys

FAMILIES = ["classification", "segmentation", "video", "optical flow", "detection", "timm", "transformers"]
TITLES = {"detection": "detection (backbone, pyramid, heads)", "timm": "timm, one of each family",
          "transformers": "transformers, small configurations"}

HEAD = """# Tested networks

Made by `benchmarks/coverage/run.py` and `table.py` with {versions}, random weights. Columns:

- *groups*: the number of groups; *resized*: those that can be resized; *pinned by*: the reasons of the others, each with its number of groups;
- *laws*: permuting all groups at once leaves the outputs unchanged (float64, 1e-9); with all groups at width 1, half and twice their width the
  network runs and its outputs keep their sizes; written with all groups at half width, it gives the same outputs in Python (1e-4 relative);
- *analysis*: the time to find the groups, without reading the file;
- *multiply-adds*: as counted by `inn cost`; `=` where torch.utils.flop_counter counts the same.

Reasons name the operator; *input* and *output* are the dimensions of the network's own inputs and outputs.

For comparison: Torch-Pruning 1.6.1, measured on its own lists of models (halve the widths, run), handles 79 of 95 torchvision
models, 74 of 151 timm models and 24 of 48 transformers.
"""


def short(reason):
    """The reason without the place in the network, and without what differs from module to module."""
    if re.match(r"axis \d+ of the input", reason):
        return "input"
    if re.match(r"axis \d+ of output", reason):
        return "output"
    reason = re.sub(r" \([^()]*\)", "", reason).replace("aten::", "")
    return re.sub(r"(\w+)\.\w+", r"\1", reason)


def pattern(group):
    """The group's name with * for the numbers of its layers."""
    return re.sub(r"(?<![A-Za-z])\d+", "*", group)


def macs(report):
    if "macs" not in report:
        return ""
    text = f"{report['macs'] / 1e6:.1f} M"
    if "torch_macs" not in report:
        return text
    return text + (" =" if report["macs"] == report["torch_macs"] else f", torch {report['torch_macs'] / 1e6:.1f} M")


def pinned(report):
    counts = collections.Counter(short(entry["reason"]) for entry in report["pinned"])
    counts.update({f"no rule for {name.replace('aten::', '')}": count for name, count in report.get("unknown_operators", {}).items()})
    return "; ".join(f"{reason} {count}" for reason, count in counts.most_common())


def analysed(report):
    return "groups" in report


def rows(reports):
    yield "| network | calls | groups | resized | pinned by | analysis | laws | multiply-adds |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for name, report in sorted(reports.items()):
        if not analysed(report):
            continue
        cells = [name.removeprefix("timm_").removeprefix("transformers_"), report["calls"], report["groups"],
                 report["groups"] - len(report["pinned"]), pinned(report), f"{1000 * report['analysis_s']:.0f} ms",
                 "; ".join(report["failures"]) or "hold", macs(report)]
        yield "| " + " | ".join(str(cell).replace("|", "/").replace("\n", " ") for cell in cells) + " |"


def sums(results):
    yield "| family | listed | exported | laws hold | groups | resized | multiply-adds equal | slowest analysis | most memory |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for family in FAMILIES:
        reports = [report for report in results.values() if report["family"] == family]
        if not reports:
            continue
        found = [report for report in reports if analysed(report)]
        slowest = max(found, key=lambda report: report["analysis_s"], default=None)
        counted = [report for report in found if "macs" in report and "torch_macs" in report]
        cells = [TITLES.get(family, family), len(reports), len(found), sum(not report["failures"] for report in found),
                 sum(report["groups"] for report in found), sum(report["groups"] - len(report["pinned"]) for report in found),
                 f"{sum(report['macs'] == report['torch_macs'] for report in counted)} of {len(counted)}",
                 f"{1000 * slowest['analysis_s']:.0f} ms, {slowest['calls']} calls" if slowest else "",
                 f"{max((report.get('memory_gib', 0) for report in found), default=0):.1f} GiB"]
        yield "| " + " | ".join(str(cell) for cell in cells) + " |"


def not_exported(reports):
    """By reason, the networks that Python could not export or save, or that were not finished."""
    by_reason = collections.defaultdict(list)
    for name, report in sorted(reports.items()):
        if not analysed(report):
            reason = re.sub(r"\s+", " ", report["failures"][0].removeprefix("export: "))
            by_reason[re.split(r" in graph: |\. |; ", reason)[0][:160]].append(name.removeprefix("timm_").removeprefix("transformers_"))
    for reason, names in sorted(by_reason.items(), key=lambda entry: -len(entry[1])):
        yield f"- {', '.join(names)}: {reason}"


def reasons(results):
    """For each reason the groups that it pins, by network, with * for the numbers of layers."""
    places = collections.defaultdict(lambda: collections.defaultdict(set))
    for name, report in results.items():
        if report["family"] == "transformers":
            continue  # vocabularies and positions in all of them: the rows say it
        for entry in report.get("pinned", []):
            places[short(entry["reason"])][name].add(pattern(entry["group"]))
    for reason, by_network in sorted(places.items(), key=lambda entry: -len(entry[1])):
        if reason in ("input", "output"):
            continue
        listed = "; ".join(f"{name}: {', '.join(f'`{group}`' for group in sorted(groups))}" for name, groups in sorted(by_network.items()))
        yield f"- **{reason}**: {listed}"


def versions():
    found = []
    for package in ("torch", "torchvision", "timm", "transformers"):
        try:
            found.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def main(page, folders):
    results = {}
    for folder in folders:
        results.update(json.loads((folder / "results.json").read_text()))
    lines = [HEAD.format(versions=versions()), *sums(results), ""]
    for family in FAMILIES:
        reports = {name: report for name, report in results.items() if report["family"] == family}
        if not reports:
            continue
        lines += [f"## {TITLES.get(family, family).capitalize()}", "", *rows(reports), ""]
        missing = list(not_exported(reports))
        if missing:
            lines += ["Not exported by Python, or timed out:", "", *missing, ""]
    lines += ["## Pinned groups by reason", "", "Without inputs, outputs and transformers. `*` stands for the numbers of layers.", "", *reasons(results), ""]
    page.write_text("\n".join(lines))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), [pathlib.Path(name) for name in sys.argv[2:]])
