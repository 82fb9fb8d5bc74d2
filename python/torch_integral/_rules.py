"""Rules for operators that the library does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import _core


def rule(operator: str) -> Callable[[Callable[[_core.RuleCall], Any]], Callable[[_core.RuleCall], Any]]:
    """Make a function the rule of an operator: which axes of its arguments and results belong together.

    From then on `analyze`, `resample` and the others understand networks with it; without a rule what the operator touches
    keeps its width. `analyze(…).check()` shows whether a rule is right.

    Parameters
    ----------
    operator : str
        ``"mylib::scale"``, as `torch.library` has it.

    Raises
    ------
    ValueError
        For an operator that the library has a rule for.

    Examples
    --------
    ::

        @inn.rule("mylib::scale")  # scale(Tensor x, Tensor factor) -> Tensor, factor of one number a channel
        def scale(call):
            x = call.axes("x")
            call.unify(call.axes("factor")[0], x[1])
            call.set_result(x)
    """

    def decorate(function: Callable[[_core.RuleCall], Any]) -> Callable[[_core.RuleCall], Any]:
        _core.add_rule(operator, (function.__doc__ or "").strip(), function)
        return function

    return decorate
