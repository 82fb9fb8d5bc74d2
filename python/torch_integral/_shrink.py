"""A trained network made smaller: within a budget and a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from . import _core
from ._export import network_of
from ._resample import Report, GroupResult, Resampled, budget_text, model_of
from ._samples import Samples

@dataclasses.dataclass
class Figures:
    """What a network costs for one input, and how good it is.

    Attributes
    ----------
    macs, parameters : float
        Multiply-adds and parameters.
    memory : int
        Bytes of the weights and of the activations at their peak.
    latency : float
        Seconds, the median on this machine.
    agreement : (float, float), optional
        How often the output's argmax is the source's on calibration samples that were held out, and its standard error.
    output_error : float, optional
        The squared error of the outputs there, relative to their variation.
    accuracy : (float, float), optional
        On `data`, with its standard error.
    loss : float, optional
        On `data`: cross entropy or mean squared error.
    """

    macs: float
    parameters: float
    memory: int
    latency: float
    agreement: tuple[float, float] | None = None
    output_error: float | None = None
    accuracy: tuple[float, float] | None = None
    loss: float | None = None


@dataclasses.dataclass
class Shrunk(Resampled):
    """A network made smaller; prints what was done.

    Attributes
    ----------
    before, after : Figures
        The source's and this network's.
    stages : list of (str, str, float)
        What was done, what came of it, and the seconds that it took.
    notes : list of str
        Warnings, and what was left out for want of time.
    """

    before: Figures
    after: Figures
    stages: list[tuple[str, str, float]]
    notes: list[str]

    _title = "inn.shrink"

    def _document(self) -> dict[str, Any]:
        def figures(of: Figures) -> dict[str, Any]:
            made = {name: value for name, value in dataclasses.asdict(of).items() if value is not None}
            for name in ("agreement", "accuracy"):
                if name in made:
                    made[name] = {"rate": made[name][0], "standard_error": made[name][1]}
            return made

        stages = [{"name": name, "result": result, "seconds": seconds} for name, result, seconds in self.stages]
        return {"before": figures(self.before), "after": figures(self.after), **super()._document(), "stages": stages, "notes": self.notes}

    def __repr__(self) -> str:
        lines = [f"{'':14}{'before':>18}{'after':>18}"]
        for name, scale, unit in (
            ("macs", 1e-6, "M"), ("parameters", 1e-3, "k"), ("memory", 1e-6, "MB"), ("latency", 1e3, "ms"),
        ):  # fmt: skip
            values = (f"{getattr(figures, name) * scale:.2f} {unit}" for figures in (self.before, self.after))
            lines.append(f"{name:14}" + "".join(f"{value:>18}" for value in values))
        for name in ("agreement", "accuracy"):
            rates = [getattr(figures, name) for figures in (self.before, self.after)]
            if rates[1] is not None:
                texts = ("–" if rate is None else f"{100 * rate[0]:.2f} ± {100 * rate[1]:.2f} %" for rate in rates)
                lines.append(f"{name:14}" + "".join(f"{text:>18}" for text in texts))
        lines += [f"{name}: {result}, {seconds:.1f} s" for name, result, seconds in self.stages]
        return "\n".join([*lines, *self.notes])


def shrink(
    model: Any,
    example: Any = None,
    *,
    budget: Mapping[str, float | str] | str,
    calibration: Iterable[Any],
    data: Iterable[Any] | None = None,
    minutes: float = 10,
    groups: Sequence[str] = (),
    exclude: Sequence[str] = (),
    round_to: int = 1,
    min_width: int = 1,
    smallest: str = "macs",
    distill: bool = True,
    fold_batch_norm: bool = False,
    target: str = "cpu",
    seed: int = 0,
    as_module: bool = False,
    progress: bool = False,
) -> Shrunk:
    """Make a trained network smaller: widths for a budget, data-aware quadrature, refits and distillation, without labels.

    Parameters
    ----------
    model, example
        As `analyze` takes them. The model is not changed.
    budget : dict or str
        What it may cost: ``"macs=0.5"``, ``{"params": "100k"}``, ``"latency=5ms"``, ``"memory=2MB"``; or how often it must give the
        source's answer, ``"agreement=0.98"``, or how many points of accuracy on `data` it may lose, ``"accuracy=-1"`` (``"accuracy=0.9"``:
        the accuracy itself), at the least cost.
    calibration : iterable
        Batches of inputs, as the model takes them. Every fifth sample is held out to judge the result.
    data : iterable, optional
        Labelled batches for the accuracy before and after; used to make the network for a budget of accuracy alone.
    minutes : float
        The time, at most; what is left after the fits is used for distillation. Ctrl-C ends with the best so far.
    groups, exclude : sequence of str
        Globs of the groups that may be cut; by default all learned ones.
    round_to, min_width : int
        Widths are multiples of `round_to` (1: what the target asks for), and at least `min_width`.
    smallest : {"macs", "params", "latency", "memory"}
        The cost that is least where the budget is an agreement or an accuracy.
    distill : bool
        Whether the time that is left is used for distillation.
    fold_batch_norm : bool
        For inference: fold batch norms into the layers before them. The model's own class then cannot come back.
    target : {"cpu", "cuda", "tensorrt", "xnnpack", "any"}
        Where it will run: widths in multiples of 8 where most are 64 or more, and on a CPU the faster memory format; "any": any width.
    as_module : bool
        Raise an error where the model's own class can't have the new widths, instead of returning a GraphModule.
    progress : bool
        Whether progress bars are shown (by tqdm, where it is installed).

    Returns
    -------
    Shrunk

    Raises
    ------
    ValueError
        For a budget that cannot be reached, and wrong arguments.
    """
    if not minutes > 0:
        raise ValueError(f"minutes: must be positive but got {minutes}")
    if not isinstance(budget, str) and len(budget) != 1:
        raise ValueError(f"budget: must have one entry but got {dict(budget)}")
    network = network_of(model, example)
    source = _core.AnalysedNetwork(network)
    wanted = _core.Widths()
    wanted.groups = list(groups)
    wanted.exclude = list(exclude)
    limits = _core.WidthLimits()
    limits.round_to = round_to
    limits.min_width = min_width
    wanted.limits = limits
    samples = Samples(calibration, network.input_count).calibration()
    labelled = Samples(data, network.input_count).calibration() if data is not None else None
    made = _core.shrink(
        source, budget_text(budget), wanted, samples, labelled, 60 * minutes, smallest, distill, fold_batch_norm, target, seed,
        _bars() if progress else None,
    )  # fmt: skip
    widths = {name: now for name, (_, now) in made.widths}
    report = Report([GroupResult(name, before, now) for name, (before, now) in made.widths], made.notes)
    small = model_of(model, example, made.network, source, widths, as_module)
    return Shrunk(
        small, report, made.network, _figures(made.before), _figures(made.after), made.stages, list(made.notes)
    )


def _figures(core: Any) -> Figures:
    def rate(of: Any) -> tuple[float, float] | None:
        return None if of is None else (of.rate, of.standard_error)

    return Figures(
        core.macs, core.parameters, core.memory, core.latency, rate(core.agreement), core.output_error,
        rate(core.accuracy), core.loss,
    )  # fmt: skip


def _bars() -> Callable[[str, int, int, str], None] | None:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    bars: dict[str, Any] = {}

    def show(stage: str, done: int, total: int, what: str) -> None:
        if stage not in bars:
            bars[stage] = tqdm(total=total, desc=stage)
        bars[stage].set_postfix_str(what, refresh=False)
        bars[stage].update(done - bars[stage].n)
        if done >= total:
            bars.pop(stage).close()

    return show


__all__ = ["Figures", "Shrunk", "shrink"]
