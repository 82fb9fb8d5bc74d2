"""Every method at every width, on the same data."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from ._analysis import analyze
from ._export import network_of
from ._page import Page
from ._resample import resample
from ._samples import Samples


@dataclasses.dataclass
class Compared:
    """One network of a comparison."""

    method: str
    keep: float
    quality: float  # by the metric
    macs: int
    parameters: int


class Comparison(list[Compared], Page):
    """The networks of a comparison; prints as a table, one line a method.

    Attributes
    ----------
    source : Compared
        The model itself.
    """

    def __init__(self, source: Compared, made: Iterable[Compared]):
        super().__init__(made)
        self.source = source

    def _table(self) -> tuple[list[float], dict[str, dict[float, Compared]]]:
        rows: dict[str, dict[float, Compared]] = {}
        for network in self:
            rows.setdefault(network.method, {})[network.keep] = network
        return sorted({network.keep for network in self}, reverse=True), rows

    def __repr__(self) -> str:
        widths, rows = self._table()
        length = max([6, *(len(method) for method in rows)])
        head = f"{'method':<{length}}" + "".join(f"{width:>10.3g}" for width in [1.0, *widths])
        lines = [head, "─" * len(head)]
        for method, networks in rows.items():
            cells = [self.source.quality, *(networks[width].quality for width in widths)]
            lines.append(f"{method:<{length}}" + "".join(f"{cell:>10.4f}" for cell in cells))
        return "\n".join(lines)

    _title = "inn.compare"

    def _document(self) -> dict[str, Any]:
        return {"source": dataclasses.asdict(self.source), "results": [dataclasses.asdict(network) for network in self]}

    def to_pandas(self) -> Any:
        """Return a pandas.DataFrame, a row for each network."""
        import pandas

        return pandas.DataFrame([dataclasses.asdict(network) for network in [self.source, *self]])

    def plot(self, ax: Any = None) -> Any:
        """Plot quality against multiply-adds, a line a method, by matplotlib; return the axes."""
        import matplotlib.pyplot as plt

        ax = plt.subplots()[1] if ax is None else ax
        widths, rows = self._table()
        for method, networks in rows.items():
            line = [self.source, *(networks[width] for width in widths)]
            ax.plot([network.macs for network in line], [network.quality for network in line], marker="o", label=method)
        ax.set_xlabel("multiply-adds")
        ax.set_ylabel("quality")
        ax.legend()
        return ax


def _accuracy(outputs: torch.Tensor, targets: torch.Tensor) -> float:
    return (outputs.argmax(-1) == targets).double().mean().item()


def compare(model: Any, example: Any = None, *, calibration: Iterable[Any], data: Iterable[Any],
            keep: Sequence[float] = (0.7, 0.5, 0.3), methods: Sequence[str] = ("quadrature", "l1", "interpolate", "fold"),
            metric: Callable[[Any, torch.Tensor], float] | None = None, **options: Any) -> Comparison:
    """Resample a model by several methods to several widths, and measure each network.

    Parameters
    ----------
    model, example
        As `analyze` takes them.
    calibration : iterable
        Batches of inputs that the methods measure; no labels are needed.
    data : iterable
        Batches of inputs and targets on which the networks are measured.
    keep : sequence of float
        The fractions of the widths.
    methods : sequence of str
        Names of `methods()`.
    metric : callable, optional
        Of outputs and targets of a batch; higher is better. By default the fraction of right classes.
    **options
        Of `resample`.

    Returns
    -------
    Comparison
    """
    network = network_of(model, example)
    known = list(calibration)
    test = Samples(data, network.input_count)
    metric = metric or _accuracy

    def measured(run: Any, method: str, width: float) -> Compared:
        total, count = 0.0, 0
        for inputs, targets in test.batches:
            if targets is None:
                raise ValueError("data: every batch needs targets behind its inputs")
            with torch.no_grad():
                outputs = run.run(inputs)
            total += metric(outputs[0] if len(outputs) == 1 else outputs, targets) * len(targets)
            count += len(targets)
        cost = analyze(run).cost()
        return Compared(method, width, total / count, cost.macs, cost.parameters)

    made = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # networks are compared, not modules
        for method in methods:
            for width in keep:
                result = resample(network, keep=width, method=method, calibration=known, **options)
                made.append(measured(result.network, method, width))
    return Comparison(measured(network, "source", 1.0), made)


__all__ = ["Compared", "Comparison", "compare"]
