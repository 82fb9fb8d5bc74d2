"""The dependency graph of a network."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from typing import Any

from . import _core
from ._export import network_of
from ._page import Page


class Analysis(Page):
    """A network with its groups: dimensions that must have the same size.

    Made by `analyze`. It prints as a table, and iterates over the groups that can be resized.
    """

    def __init__(self, source: _core.AnalysedNetwork):
        self.source = source

    @property
    def groups(self) -> list[_core.Group]:
        """The groups, resizable or pinned (then `pinned` is the reason), without those of positions."""
        return [group for group in self.source.groups if not group.positions]

    @property
    def pinned(self) -> dict[str, str]:
        """Why each group that can't be resized can't be."""
        return {group.name: group.pinned for group in self.groups if group.pinned is not None}

    @property
    def notes(self) -> list[str]:
        """What was changed in the network so that its groups can be resized."""
        return self.source.notes

    @property
    def unknown_operators(self) -> dict[str, int]:
        """Operators without a rule and their numbers of calls; what they touch is pinned."""
        return self.source.unknown_operators

    def check(self, seed: int = 0) -> list[_core.GroupVerification]:
        """Verify every resizable group on the network: permute its channels, change its width, run.

        Raises
        ------
        RuntimeError
            If a group is wrong, with its name and what happened.
        """
        found = self.source.verify(seed)
        wrong = [f"{result.name}: {result.failure}" for result in found if not result.ok]
        if wrong:
            raise RuntimeError("these groups are wrong:\n" + "\n".join(wrong))
        return found

    def cost(self, batch: int = 1) -> _core.Cost:
        """Return parameters, multiply-adds and peak memory for a batch."""
        return self.source.cost(batch)

    def draw(self, path: str | os.PathLike) -> None:
        """Draw the network with its groups in colors: .svg, .png, .pdf (by Graphviz), or .dot."""
        self.source.draw(os.fspath(path))

    def __iter__(self) -> Iterator[_core.Group]:
        return (group for group in self.groups if group.pinned is None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> _core.Group:
        for group in self.groups:
            if group.name == name:
                return group
        raise KeyError(f"no group is named {name!r}; there are {', '.join(g.name for g in self.groups)}")

    def _rows(self) -> list[tuple[str, str, str, str]]:
        rows = []
        for group in self.groups:
            names = {role: [m.tensor for m in group.members if m.role == role] for role in ("produce", "consume")}
            rows.append((group.name, str(group.width), _some(names["produce"]),
                         group.pinned if group.pinned is not None else _some(names["consume"])))
        return rows

    def __repr__(self) -> str:
        rows = [("group", "width", "produced by", "consumed by, or why pinned"), *self._rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [
            f"{name:<{widths[0]}}  {width:>{widths[1]}}  {produced:<{widths[2]}}  {consumed}".rstrip()
            for name, width, produced, consumed in rows
        ]
        lines.insert(1, "─" * max(len(line) for line in lines))
        return "\n".join(lines)

    _title = "inn.analyze"

    def _document(self) -> dict[str, Any]:
        groups = [{"name": group.name, "width": group.width, "pinned": group.pinned,
                   "members": [{"tensor": m.tensor, "axis": m.axis, "role": m.role} for m in group.members]}
                  for group in self.groups]
        return {"groups": groups, "notes": self.notes, "unknown_operators": self.unknown_operators}

    def _drawing(self) -> str:
        try:
            return self.source.svg()
        except RuntimeError as error:  # Graphviz is missing
            warnings.warn(f"the page has no drawing: {error}", stacklevel=3)
            return ""


def _some(names: list[str], most: int = 2) -> str:
    unique = list(dict.fromkeys(names))
    rest = f", {len(unique) - most} more" if len(unique) > most else ""
    return ", ".join(unique[:most]) + rest


def analyze(model: Any, example: Any = None) -> Analysis:
    """Find which dimensions of a network must keep the same size.

    Parameters
    ----------
    model : Module, ExportedProgram, ScriptModule or path
        The network. It is not changed.
    example : Tensor, tuple, dict or shape, optional
        Inputs of the model; needed for modules. ``(1, 3, 224, 224)`` and ``(3, 224, 224)`` are shapes of one tensor.

    Returns
    -------
    Analysis

    Raises
    ------
    ValueError
        If the module can't be exported, or the network has unsupported operators; the message names them.
    """
    return Analysis(_core.AnalysedNetwork(network_of(model, example)))
