"""Pruning channels of a model in place, group by group."""

from .graph import FunctionPruner, L1Pruner, Pruner

__all__ = ["FunctionPruner", "L1Pruner", "Pruner"]
