"""Integral neural networks: one trained network at every width.

The short way: `shrink`, `analyze`, `resample`, `elastic`. Under TorchIntegral's names: `IntegralWrapper`, `IntegralTracer`, `L1Pruner`,
and the modules `grid`, `quadrature`, `permutation`, `parametrizations`, `graph`, `utils`.
"""

import torch  # the library's symbols are resolved from torch's

from . import _version

_built, _found = _version.TORCH.split(".")[:2], torch.__version__.split(".")[:2]
if _built != _found:
    raise ImportError(
        f"torch_integral was built for torch {'.'.join(_built)} but torch {torch.__version__} is installed. "
        "Build it against this torch: pip install --force-reinstall --no-cache-dir --no-build-isolation torch_integral"
    )

from . import graph, grid, parametrizations, permutation, pruning, quadrature, utils  # noqa: E402
from ._analysis import Analysis, analyze  # noqa: E402
from ._data import open_dataset  # noqa: E402
from ._depth import Chain, Shallower, cut_depth, depth_groups  # noqa: E402
from ._compare import Comparison, compare  # noqa: E402
from ._onnx import load_onnx, save_onnx  # noqa: E402
from ._rules import rule  # noqa: E402
from ._resample import Report, Resampled, methods, resample  # noqa: E402
from ._shrink import Figures, Shrunk, shrink  # noqa: E402
from ._training import elastic_step, recalibrate  # noqa: E402
from .graph import IntegralTracer, L1Pruner, Pruner  # noqa: E402
from .grid import (  # noqa: E402
    CompositeGrid1D,
    ConstantGrid1D,
    Distribution,
    GridND,
    IGrid,
    L1Grid1D,
    MultiTrainableGrid1D,
    NormalDistribution,
    RandomLegendreGrid,
    RandomLinspace,
    TrainableDeltasGrid1D,
    TrainableGrid1D,
    UniformDistribution,
)
from .model import IntegralGroup, IntegralModel, IntegralWrapper, elastic, zoo  # noqa: E402
from .quadrature import (  # noqa: E402
    BaseIntegrationQuadrature,
    LegendreQuadrature,
    RiemannQuadrature,
    SimpsonQuadrature,
    TrapezoidalQuadrature,
    integrate,
)
from .utils import base_continuous_dims, grid_tuning, standard_continuous_dims  # noqa: E402

__version__ = _version.VERSION

__all__ = [
    "Analysis", "BaseIntegrationQuadrature", "Chain", "Comparison", "CompositeGrid1D", "ConstantGrid1D", "Distribution", "Figures", "GridND", "IGrid",
    "IntegralGroup", "IntegralModel", "IntegralTracer", "IntegralWrapper", "L1Grid1D", "L1Pruner", "LegendreQuadrature",
    "MultiTrainableGrid1D", "NormalDistribution", "Pruner", "RandomLegendreGrid", "RandomLinspace", "Report", "Resampled",
    "RiemannQuadrature", "Shallower", "Shrunk", "SimpsonQuadrature", "TrainableDeltasGrid1D", "TrainableGrid1D", "TrapezoidalQuadrature",
    "UniformDistribution", "analyze", "base_continuous_dims", "compare", "cut_depth", "depth_groups", "elastic", "elastic_step", "graph", "grid", "grid_tuning", "integrate",
    "load_onnx", "methods", "open_dataset", "parametrizations", "permutation", "pruning", "quadrature", "recalibrate", "resample",
    "rule", "save_onnx", "shrink", "standard_continuous_dims", "utils", "zoo",
]  # fmt: skip
