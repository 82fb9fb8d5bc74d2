"""Loads archives with torch.export.load and compares what they compute with what is stored beside them.

    python load_check.py WRITTEN EXPECTED

WRITTEN/NAME.pt2 is run on the pairs of WRITTEN/NAME.pt, or else of EXPECTED/NAME.pt (see export_networks.py). Pairs that were written beside a network whose
sizes are dynamic must hold inputs of several sizes. Exits with 1 where one differs.
"""

import pathlib
import sys

import torch

# The kernels are the same; a batch of another size may be split otherwise.
TOLERANCE = 1e-6


def equal(given, wanted):
    if not isinstance(wanted, torch.Tensor):
        return given == wanted
    return given.shape == wanted.shape and torch.allclose(given, wanted, TOLERANCE, TOLERANCE, equal_nan=True)


def arguments(program, tensors):
    """Lays the tensors out as the program's example inputs, which also hold its constants."""
    (args, kwargs) = program.example_inputs
    leaves, spec = torch.utils._pytree.tree_flatten((args, kwargs))
    tensors = iter(tensors)
    leaves = [next(tensors) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    return torch.utils._pytree.tree_unflatten(leaves, spec)


def shapes(tensors):
    return [tuple(tensor.shape) for tensor in tensors]


def check(path, expected, every_size):
    pairs = torch.load(expected, weights_only=False)
    failures = []
    if every_size and torch.export.load(path).range_constraints:
        if all(shapes(inputs) == shapes(pairs[0]) for inputs in pairs[::2]):
            failures.append("its sizes are dynamic, but no inputs of other sizes are stored")
    for i in range(0, len(pairs), 2):
        program = torch.export.load(path)
        args, kwargs = arguments(program, pairs[i])
        outputs = torch.utils._pytree.tree_leaves(program.module()(*args, **kwargs))
        wanted = pairs[i + 1]
        if len(outputs) != len(wanted):
            failures.append(f"run {i // 2}: {len(outputs)} outputs, not {len(wanted)}")
        failures += [f"run {i // 2}: output {k} differs" for k, pair in enumerate(zip(outputs, wanted)) if not equal(*pair)]
    return failures


def main(written, expected):
    failed = False
    for path in sorted(written.glob("*.pt2")):
        try:
            beside = path.with_suffix(".pt")
            stored = beside if beside.exists() else expected / beside.name
            failures = check(path, stored, every_size=stored == beside)
        except Exception as error:  # noqa: BLE001: any failure to load or run is a finding
            failures = [f"{type(error).__name__}: {error}"]
        print(path.name, "; ".join(failures) if failures else "ok")
        failed |= bool(failures)
    sys.exit(failed)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
