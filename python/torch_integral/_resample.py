"""Another width for a trained network, without training."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from . import _core
from ._analysis import Analysis
from ._export import example_of, graph_module, is_integral, network_of
from ._page import Page
from ._rebuild import rebuild
from ._samples import Samples, samples_of_all_ranks


@dataclasses.dataclass
class GroupResult:
    """What was done to one group."""

    name: str
    source_width: int
    width: int
    error: float | None = None  # of data-aware quadrature: of its nodes, before refits


class Report(list[GroupResult]):
    """What was done to each group; prints as a table."""

    def __init__(self, groups: Iterable[GroupResult], notes: Sequence[str]):
        super().__init__(groups)
        self.notes = list(notes)

    def __repr__(self) -> str:
        length = max([5, *(len(group.name) for group in self)])
        lines = [f"{'group':<{length}}  width", "─" * (length + 16)]
        lines += [f"{group.name:<{length}}  {group.source_width} → {group.width}" for group in self]
        return "\n".join([*lines, *self.notes])


@dataclasses.dataclass
class Resampled(Page):
    """A resampled model.

    Attributes
    ----------
    model : Module, optional
        The user's class with the new widths, where it can have them; else a GraphModule. None where a Network was resampled.
    report : Report
        What was done to each group.
    network : Network
        The same network, which `network.write(path)` writes as a .pt2 file.
    """

    model: Any
    report: Report
    network: Any

    _title = "inn.resample"

    def _document(self) -> dict[str, Any]:
        return {"groups": [dataclasses.asdict(group) for group in self.report], "notes": self.report.notes}


def resample(
    model: Any,
    example: Any = None,
    *,
    keep: float | None = None,
    widths: Mapping[str, int] | None = None,
    keep_of: Mapping[str, float] | None = None,
    budget: Mapping[str, float] | str | None = None,
    groups: Sequence[str] = (),
    exclude: Sequence[str] = (),
    round_to: int = 1,
    min_width: int = 1,
    scope: str = "uniform",
    method: str | None = None,
    importance: Callable[[str, list[tuple[str, torch.Tensor]]], torch.Tensor] | None = None,
    calibration: Iterable[Any] | None = None,
    loss: Callable[[Any, torch.Tensor], torch.Tensor] | None = None,
    refit: bool | None = None,
    seed: int = 0,
    as_module: bool = False,
    progress: bool = False,
) -> Resampled:
    """Make a network of other widths from a trained one, without training.

    Parameters
    ----------
    model, example
        As `analyze` takes them. The model is not changed. It is measured on the CPU, wherever it is.
    keep : float, optional
        The fraction of the channels that each group keeps, in (0, 1].
    widths : dict, optional
        Widths of groups by name; they take precedence.
    keep_of : dict, optional
        Fractions of groups by glob; the last match wins.
    budget : dict or str, optional
        Choose widths for a budget: ``{"macs": 0.5}``, ``"params=100k"``, ``"latency=5ms"``. Needs `calibration`.
    groups, exclude : sequence of str
        Globs of the groups that `keep` is for, and of those that it is not for.
    round_to, min_width : int
        Widths are multiples of `round_to`, and at least `min_width`.
    scope : {"uniform", "global", "isomorphic"}
        Whether importances are compared within a group, or across all.
    method : str, optional
        A name of `methods()`. By default "quadrature" where there is calibration data, else "l2".
    importance : callable, optional
        Your own: gets a group's name and the pairs (tensor name, slices ``[width, …]``) of its members; returns a score for
        each channel, ``[width]``.
    calibration : iterable, optional
        Batches of inputs, as the model takes them; labels behind them are used by methods that need gradients. In a run of
        torch.distributed each rank gives its own batches, all ranks call, and all get the same network.
    loss : callable, optional
        The loss of each sample of outputs and labels; by default cross entropy.
    refit : bool, optional
        Whether layers are refit to the calibration data by least squares; by default for "quadrature" and
        "rotation".
    as_module : bool
        Raise an error where the model's own class can't have the new widths, instead of returning a GraphModule.
    progress : bool
        Whether refits show a progress bar (by tqdm, where it is installed).

    Returns
    -------
    Resampled

    Raises
    ------
    ValueError
        For unknown or pinned groups, widths out of range, and missing calibration data.
    """
    network = network_of(model, example)
    source = _core.AnalysedNetwork(network)
    if method is None:
        method = "quadrature" if calibration is not None and importance is None else "l2"
    wanted = _core.Widths()
    wanted.keep = keep
    wanted.groups = list(groups)
    wanted.exclude = list(exclude)
    wanted.keep_of = list((keep_of or {}).items())
    wanted.widths = dict(widths or {})
    wanted.scope = _named_scope(scope)
    limits = _core.WidthLimits()
    limits.round_to = round_to
    limits.min_width = min_width
    wanted.limits = limits
    samples = Samples(calibration, network.input_count).calibration(loss) if calibration is not None else None
    with samples_of_all_ranks() if samples is not None else contextlib.nullcontext():
        if budget is not None:
            if samples is None:
                raise ValueError("budget: choosing widths needs calibration data")
            chosen = _core.widths_for_budget(source, budget_text(budget), list(groups) or source.following(), limits, samples)
            wanted.widths = {**chosen, **wanted.widths}
        elif keep is None and not wanted.widths and not wanted.keep_of:
            raise ValueError("one of keep, widths, keep_of and budget is needed")
        made = _core.resample(
            source, wanted, method, importance=importance, refit=refit, seed=seed, calibration=samples,
            progress=_bar() if progress else None,
        )
    all_groups = source.groups
    errors = {group.name: group.error for group in made.groups}
    report = Report(
        [
            GroupResult(all_groups[index].name, all_groups[index].width, width, errors.get(all_groups[index].name))
            for index, width in made.widths
        ],
        made.notes,
    )
    widths_now = {all_groups[index].name: width for index, width in made.widths}
    return Resampled(model_of(model, example, made.network, source, widths_now, as_module), report, made.network)


def model_of(
    model: Any, example: Any, network: Any, source: Any, widths: Mapping[str, int], as_module: bool
) -> Any:
    """Return a resampled network in the form of the model: its own class where it can have the widths."""
    if isinstance(model, _core.Network):
        return None
    if not isinstance(model, nn.Module) or isinstance(model, torch.jit.ScriptModule) or is_integral(model):
        return graph_module(network)
    cuts = [
        (group.width, widths[group.name], [member.tensor for member in group.members])
        for group in source.groups
        if group.name in widths
    ]
    return rebuild(model, network, *example_of(example), as_module, cuts)


def budget_text(budget: Mapping[str, Any] | str) -> str:
    """Return a budget as the library reads it: "macs=0.5"."""
    return budget if isinstance(budget, str) else ",".join(f"{of}={amount}" for of, amount in budget.items())


def methods() -> list[str]:
    """Return the names of the methods of `resample`."""
    return _core.resampling_methods()


def _named_scope(scope: str) -> Any:
    scopes = {name: getattr(_core.PruningScope, name) for name in ("uniform", "global", "isomorphic")}
    if scope not in scopes:
        raise ValueError(f"scope: must be one of {', '.join(scopes)} but got {scope!r}")
    return scopes[scope]


def _bar() -> Callable[[int, int, str], None] | None:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    bar = tqdm(total=0, unit="layer")

    def show(done: int, total: int, what: str) -> None:
        bar.total = total
        bar.set_description(what)
        bar.update(done - bar.n)
        if done >= total:
            bar.close()

    return show


__all__ = ["Analysis", "GroupResult", "Report", "Resampled", "methods", "resample"]
