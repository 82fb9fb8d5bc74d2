"""Integral models: networks whose channels are continuous."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import nn

from . import _core
from ._export import example_of, flat_inputs, graph_module, network_of, structured
from ._rebuild import rebuild
from ._samples import Samples
from .grid import Distribution, IGrid, RandomLinspace, TrainableGrid1D, UniformDistribution

# TorchIntegral's names of what combines channels; others keep theirs.
_OPERATIONS = {
    "conv1d": "conv_linear", "conv2d": "conv_linear", "conv3d": "conv_linear", "linear": "conv_linear",
    "convolution": "conv_linear", "add": "operator", "add_": "operator", "sub": "operator", "mul": "operator",
    "cat": "concat", "concat": "concat",
}  # fmt: skip


class _GridOfPython:
    """An `IGrid` as the library takes grids: points on [0, 1], increasing."""

    def __init__(self, grid: IGrid):
        self.grid = grid

    def points(self) -> torch.Tensor:
        return ((self.grid().double() + 1) / 2).clamp(0, 1).cpu()

    def size(self) -> int:
        return int(self.grid().shape[0])

    def of_core(self) -> _core.PythonGrid:
        return _core.PythonGrid(self.points, self.size, list(self.grid.parameters()))


class IntegralGroup(nn.Module):
    """A continuous dimension of an `IntegralModel`.

    Attributes
    ----------
    name : str
        After the module whose output it is.
    size : int
        Its width in the source.
    grid : IGrid
        Where it is sampled.
    params : list of dict
        ``{"name", "value", "dim"}`` of each parameter that has it.
    operations : set of str
        What computes with it: "conv_linear", "operator" (sums and products), "batch_norm", ….
    subgroups, parents
        None and empty: parts of concatenations are groups of their own, and there are no composite ones.
    """

    grid: IGrid

    def __init__(self, model: IntegralModel, index: int):
        super().__init__()
        object.__setattr__(self, "_model", model)
        self.index = index
        core = model._core
        self.name: str = core.group_name(index)
        self.size: int = core.source_width(index)
        self.subgroups = None
        self.parents: list[IntegralGroup] = []
        names = (operator.split("::")[-1] for operator in core.operators(index))
        self.operations = {_OPERATIONS.get(name, name) for name in names}
        width = core.width(index)
        self.grid = RandomLinspace(UniformDistribution(self.size, self.size))
        self.grid.resize(width)

    @property
    def params(self) -> list[dict[str, Any]]:
        named = dict(self._model._tensors())
        return [
            {"name": member.tensor, "value": named[member.tensor], "dim": member.axis}
            for member in self._model._core.members(self.index)
            if isinstance(named.get(member.tensor), nn.Parameter)
        ]

    @property
    def tensors(self) -> list[dict[str, Any]]:
        """Feature maps; none: they are not kept."""
        return []

    def grid_size(self) -> int:
        """Return the width in evaluation mode."""
        return self.grid.size()

    def count_parameters(self) -> int:
        """Return the number of elements of the parameters that have this dimension."""
        return sum(entry["value"].numel() for entry in self.params)

    def resize(self, new_size: int) -> None:
        """Set the width."""
        self._model._core.resize_group(self.index, int(new_size))
        if not isinstance(self.grid, RandomLinspace):
            self.grid = RandomLinspace(UniformDistribution(self.size, self.size))
        self.grid.resize(new_size)

    def reset_distribution(self, distribution: Distribution) -> None:
        """Draw the width of each training pass from this distribution."""
        if not hasattr(self.grid, "distribution"):
            raise ValueError(f"group {self.name!r}: a {type(self.grid).__name__} has no distribution of sizes")
        self._model.clear_widths()
        self.grid.distribution = distribution

    def reset_grid(self, new_grid: IGrid) -> None:
        """Sample the dimension at other points. Parameters of the grid are parameters of the model."""
        if not isinstance(new_grid, nn.Module):
            raise TypeError(f"new_grid: must be an IGrid but got {type(new_grid).__name__}")
        self._model.clear_widths()
        self.grid = new_grid
        new_grid.train(self.training)
        self._set()

    def forward(self) -> torch.Tensor:
        """Make the points of the next pass."""
        return self.grid.generate_grid()

    def _is_uniform(self) -> bool:
        return type(self.grid) is RandomLinspace and self.grid.noise_std == 0

    def _set(self) -> None:
        """Give the library the points of the next pass."""
        core = self._model._core
        if self._is_uniform():
            if self.grid.curr_grid is not None and core.width(self.index) != self.grid.curr_grid.shape[0]:
                core.resize_group(self.index, self.grid.curr_grid.shape[0])
        else:
            core.set_grid(self.index, _GridOfPython(self.grid).of_core())

    def __repr__(self) -> str:
        return f"IntegralGroup({self.name!r}, width {self.grid_size()} of {self.size})"


class _Scope(nn.Module):
    """A module that only holds others and their tensors."""


class IntegralModel(nn.Module):
    """A network with one set of weights for all widths of its groups.

    An ordinary `nn.Module`: its parameters have the names of the source's. In training mode each forward pass draws widths
    from the groups' distributions. Made by `elastic` and `IntegralWrapper`.

    Attributes
    ----------
    groups : ModuleList of IntegralGroup
        The continuous dimensions, in the order of the network.
    """

    def __init__(self, core: _core.IntegralCore, source: nn.Module | None = None,
                 example: tuple[tuple, dict[str, Any]] | None = None):
        super().__init__()
        self._core = core
        self._source = (source, example)  # in a tuple: it is no submodule
        network = core.network
        self._out_spec: str = network.out_spec
        self._names: list[str] = []
        for name, kind, tensor, _ in network.state:
            self._names.append(name)
            self._register(name, kind, tensor)
        self._places = self._find_places()
        self._held: list[torch.Tensor] = []  # what the library uses; those of this module from the first pass on
        groups = nn.ModuleList(IntegralGroup(self, index) for index in range(core.group_count()))
        self.groups = cast("Sequence[IntegralGroup]", groups)
        self._source_size = sum(parameter.numel() for parameter in self._own_parameters())
        self._law: tuple[str, bool] | None = None  # of the fractions that training passes draw

    def _register(self, name: str, kind: str, tensor: torch.Tensor) -> None:
        *path, leaf = name.split(".")
        owner: nn.Module = self
        for part in path:
            if part not in owner._modules:
                owner.add_module(part, _Scope())
            owner = owner._modules[part]
        if kind == "parameter" and tensor.is_floating_point() | tensor.is_complex():
            owner.register_parameter(leaf, nn.Parameter(tensor, requires_grad=tensor.requires_grad))
        else:
            owner.register_buffer(leaf, tensor, persistent=kind != "constant" and kind != "transient_buffer")

    def _find_places(self) -> list[tuple[dict, str]]:
        places = []
        for name in self._names:
            *path, leaf = name.split(".")
            owner: nn.Module = self
            for part in path:
                owner = owner._modules[part]
            places.append((owner._parameters if leaf in owner._parameters else owner._buffers, leaf))
        return places

    def _state_tensors(self) -> list[torch.Tensor]:
        return [where[leaf] for where, leaf in self._places]

    def _tensors(self) -> Iterable[tuple[str, torch.Tensor]]:
        return zip(self._names, self._state_tensors())

    def _own_parameters(self) -> list[nn.Parameter]:
        return [tensor for tensor in self._state_tensors() if isinstance(tensor, nn.Parameter)]

    def _share(self) -> None:
        """Make the library use this module's tensors, mode and points."""
        tensors = self._state_tensors()
        if len(tensors) != len(self._held) or any(a is not b for a, b in zip(tensors, self._held)):
            self._core.share_tensors(tensors)
            self._core.follow_tensors()
            self._held = tensors

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the network at the current widths; in training mode at widths that are drawn anew."""
        return structured(self._run(flat_inputs(args, kwargs)), self._out_spec)

    @torch.compiler.disable  # one graph break, instead of one at each call of the library
    def _run(self, inputs: list[torch.Tensor]) -> list[Any]:
        self._share()
        self._core.train(self.training)
        if not (self.training and self._law):
            for group in self.groups:
                group.grid.generate_grid()
                group._set()
        return self._core.run(inputs)

    def _apply(self, fn: Callable, recurse: bool = True) -> IntegralModel:
        super()._apply(fn, recurse)
        self._places = self._find_places()
        self._held = []  # dtypes and devices may be others
        self._share()
        return self

    # Widths

    def resize(self, sizes: Sequence[int] | float) -> None:
        """Set the widths of all groups, or one fraction of their source widths."""
        if isinstance(sizes, (int, float)):
            self._core.resize(float(sizes))
            for index, group in enumerate(self.groups):
                group.resize(self._core.width(index))
            return
        for group, size in zip(self.groups, sizes):
            group.resize(size)

    def reset_grids(self, grids_1d: Sequence[IGrid]) -> None:
        """Set the grid of each group."""
        for group, grid in zip(self.groups, grids_1d):
            group.reset_grid(grid)

    def reset_distributions(self, distributions: Sequence[Distribution]) -> None:
        """Set the distribution of each group's width."""
        for group, distribution in zip(self.groups, distributions):
            group.reset_distribution(distribution)

    def grids(self) -> list[IGrid]:
        """Return the grid of each group."""
        return [group.grid for group in self.groups]

    def generate_grid(self) -> None:
        """Make the points of the next pass for all groups."""
        for group in self.groups:
            group.grid.generate_grid()

    def set_widths(self, law: str = "uniform:0.25,1", own: bool = False) -> None:
        """Draw fractions of all widths in training passes, until a group gets a distribution or a grid of its own.

        Parameters
        ----------
        law : str
            "uniform:0.25,1", "loguniform:0.25,1", "normal:0.5,0.2", "choice:1,0.75,0.5".
        own : bool
            Whether every group draws its own fraction, instead of one for all.
        """
        self._core.set_widths(law, own)
        self._law = (law, own)

    def clear_widths(self) -> None:
        """Draw no fractions any more: training passes use the grids of the groups."""
        self._core.clear_distributions()
        self._law = None

    @contextlib.contextmanager
    def at(self, width: float | str):
        """Run passes in this context at one fraction of all widths, or "widest", "narrowest", "random" of `set_widths`."""
        self._core.set_pass_width(width)
        try:
            yield self
        finally:
            self._core.set_pass_width("random")

    # What comes out

    def calculate_compression(self) -> float:
        """Return the number of parameters at the current widths relative to the source's."""
        self._share()
        for group in self.groups:
            group._set()
        with torch.no_grad():
            sampled = self._core.sample()
        own = [isinstance(tensor, nn.Parameter) for tensor in self._state_tensors()]
        return sum(tensor.numel() for tensor, is_own in zip(sampled, own) if is_own) / self._source_size

    def discretize(self) -> _core.Network:
        """Return the plain network at the current widths, in evaluation mode, whose `write(path)` writes a .pt2 file."""
        self._share()
        for group in self.groups:
            training, group.grid.training = group.grid.training, False
            group.grid.generate_grid()
            group.grid.training = training
            group._set()
        return self._core.discretize()

    def transform_to_discrete(self) -> Any:
        """Return the plain model at the current widths: the source's class where it can have them, else a GraphModule."""
        network = self.discretize()
        source, example = self._source
        if source is None or example is None:
            return graph_module(network)
        cuts = [
            (group.size, self._core.width(index), [member.tensor for member in self._core.members(index)])
            for index, group in enumerate(self.groups)
        ]
        return rebuild(source, network, *example, cuts=cuts)

    tranform_to_discrete = transform_to_discrete  # as TorchIntegral's README spells it
    get_unparametrized_model = transform_to_discrete

    def save(self, path: str | os.PathLike) -> None:
        """Write the model as a .pt2 file, which the program `inn` reads too."""
        self.discretize()
        self._core.save(os.fspath(path))

    @classmethod
    def load(cls, source: str | os.PathLike) -> IntegralModel:
        """Read a model that `save` or the program `inn` wrote, or one that comes with the library.

        Parameters
        ----------
        source : path or str
            Of a .pt2 file, or ``zoo:NAME@DATA`` (`torch_integral.zoo`).

        Raises
        ------
        ValueError
            For a name that the zoo does not have.
        RuntimeError
            For a file that is missing, invalid, or of a network that is not integral.
        """
        return cls(_core.IntegralCore.read(os.fspath(source)))

    def _network_at_source(self) -> _core.Network:
        """Return the model as the network that its file holds, at the source widths."""
        self.discretize()
        return _core.Network.from_archive(_archive_at_source(self._core))

    # Grid tuning

    def grid_tuning(self, train_bn: bool = False, train_bias: bool = False, use_all_grids: bool = False) -> None:
        """Train only the points of grids; with the flags also norms, biases, and the grids of all groups."""
        if use_all_grids:
            for group in self.groups:
                if not isinstance(group.grid, TrainableGrid1D) and group.grid_size() > 1:
                    group.reset_grid(TrainableGrid1D(group.grid_size()))
        of_grids = {id(parameter) for group in self.groups for parameter in group.grid.parameters()}
        norms = {name.rsplit(".", 1)[0] for name in self._names if name.endswith("running_mean")}
        for name, parameter in self.named_parameters():
            is_norm = name.rsplit(".", 1)[0] in norms
            parameter.requires_grad_(
                id(parameter) in of_grids or (train_bn and is_norm) or (train_bias and name.endswith("bias"))
            )

    # Copies

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for name in ("_core", "_places", "_held"):
            del state[name]
        widths = [self._core.width(index) for index in range(self._core.group_count())]
        state["_archive"] = (_archive_at_source(self._core), widths)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        archive, widths = state.pop("_archive")
        super().__setstate__(state)
        self._core = _core.IntegralCore.from_archive(archive)
        for index, width in enumerate(widths):
            self._core.resize_group(index, width)
        if self._law:
            self._core.set_widths(*self._law)
        for group in self.groups:
            object.__setattr__(group, "_model", self)
        self._places = self._find_places()
        self._held = []
        self._share()
        for group in self.groups:
            group._set()


def _archive_at_source(core: _core.IntegralCore) -> bytes:
    copy = core.clone()
    copy.restore()
    return copy.archive()


def _permute(network: _core.Network, names: Sequence[str] | None, permutation: Any) -> None:
    """Permute the channels of the named groups (None: all) by a permutation of Python."""
    source = _core.AnalysedNetwork(network)
    named = {name: tensor for name, _, tensor, _ in source.network.state}
    for group in source.groups:
        if group.pinned is not None or (names is not None and group.name not in names):
            continue
        members = [m for m in group.members if m.outer == 1 and m.inner == 1 and m.tensor in named]
        if len(members) != len(group.members):
            continue  # channels in blocks: their order stays
        params = [
            {"name": m.tensor, "value": named[m.tensor], "dim": m.axis, "start_index": m.offset} for m in members
        ]
        permutation(params, [], group.width)


class IntegralWrapper:
    """Converts models to integral models, with TorchIntegral's options.

    Parameters
    ----------
    init_from_discrete : bool
        Whether channels are ordered so that the weights are smooth. Weights are always the model's: at its own widths the
        integral model computes what the model does, exactly.
    fuse_bn : bool
        Whether batch norms are folded into the layers before them.
    optimize_iters, start_lr
        Not used: interpolation at the source's grid is exact, so there is nothing to fit.
    permutation_config : dict, optional
        ``{"class": RandomPermutation, …}``: how channels are ordered. By default a shortest path.
    parametrization_config, build_functions, permutation_iters, verbose
        Not used.
    """

    def __init__(self, init_from_discrete: bool = True, fuse_bn: bool = True, optimize_iters: int = 0,
                 start_lr: float = 1e-2, permutation_config: Mapping[str, Any] | None = None,
                 parametrization_config: Any = None, verbose: bool = True, build_functions: Any = None,
                 permutation_iters: int = 100):
        self.init_from_discrete = init_from_discrete
        self.fuse_bn = fuse_bn
        self.optimize_iters = optimize_iters
        self.start_lr = start_lr
        self.parametrization_config = parametrization_config
        self.verbose = verbose
        self.rearranger = None
        if permutation_config is not None:
            config = dict(permutation_config)
            self.rearranger = config.pop("class")(**config)

    def __call__(self, model: nn.Module, example_input: Any,
                 continuous_dims: Mapping[str, Sequence[int]] | None = None,
                 discrete_dims: Mapping[str, Sequence[int]] | None = None) -> IntegralModel:
        """Convert a model.

        Parameters
        ----------
        model : Module
            It is not changed.
        example_input : Tensor or shape
            With a batch, ``(1, 3, 224, 224)``, or without.
        continuous_dims : dict, optional
            Dimensions of parameters by name; one of a group is enough. By default all groups that can be resized. Dimensions
            that can't be resized (of inputs, of outputs) are passed over, as TorchIntegral does.
        discrete_dims : dict, optional
            Dimensions whose groups stay as they are.

        Returns
        -------
        IntegralModel
        """
        example = example_of(example_input)
        network = network_of(model, example_input)
        names = None
        if continuous_dims is not None or discrete_dims is not None:
            names = _chosen(_core.AnalysedNetwork(network), model, continuous_dims, discrete_dims or {})
        if self.fuse_bn:
            network = network.fold_batch_norm()
        options = _core.ConvertOptions()
        options.grid = "uniform"
        if names is not None:
            options.group_names = names
        if not self.init_from_discrete:
            options.order = "none"
        if self.rearranger is not None:
            options.order = "none"
            _permute(network, names, self.rearranger)
        return IntegralModel(_core.convert(network, options), model, example)

    wrap_model = __call__


def _chosen(source: _core.AnalysedNetwork, model: nn.Module, continuous: Mapping[str, Sequence[int]] | None,
            discrete: Mapping[str, Sequence[int]]) -> list[str]:
    """Return the names of the groups of these dimensions."""
    known = set(dict(model.named_parameters(remove_duplicate=False))) | set(dict(model.named_buffers()))
    absent = {f"{path}.{leaf}" for path, layer in model.named_modules() for leaf, tensor in layer._parameters.items()
              if tensor is None}  # a convolution without bias has bias None
    for dims in (continuous or {}, discrete):
        for name in dims:
            if name not in known and name not in absent:
                raise ValueError(f"continuous_dims: the model has no tensor {name!r}")

    names = {name: (name, *aliases) for name, _, _, aliases in source.network.state}  # tied tensors have several

    def has(group: _core.Group, dims: Mapping[str, Sequence[int]]) -> bool:
        return any(member.axis in dims.get(name, ()) for member in group.members for name in names[member.tensor])

    resizable = [group for group in source.groups if group.pinned is None]
    chosen = [g.name for g in resizable if (continuous is None or has(g, continuous)) and not has(g, discrete)]
    if not chosen:
        reasons = [f"{g.name}: {g.pinned}" for g in source.groups if g.pinned and has(g, continuous or {})]
        raise ValueError("continuous_dims: no group can be resized. " + "; ".join(reasons))
    return chosen


def elastic(model: Any, example: Any = None, *, widths: str = "uniform:0.25,1", groups: Sequence[str] = (),
            kernel: str = "cubic", quadrature: str = "", grid: str = "nested", order: str = "path",
            calibration: Iterable[Any] | None = None, seed: int = 0) -> IntegralModel:
    """Make an integral model: one set of weights for all widths.

    Parameters
    ----------
    model, example
        As `analyze` takes them. The model is not changed.
    widths : str
        The fractions that training passes draw, see `IntegralModel.set_widths`; "" draws none.
    groups : sequence of str
        Globs of the groups; by default all that can be resized.
    kernel, quadrature, grid, order : str
        Interpolation, quadrature rule, family of grids, and order of the channels, by the library's names.
    calibration : iterable, optional
        Batches of inputs, for order "nodes".
    seed : int
        Of the widths.

    Returns
    -------
    IntegralModel
        Its outputs at the source widths equal the model's.
    """
    network = network_of(model, example)
    options = _core.ConvertOptions()
    options.groups = list(groups)
    options.kernel, options.quadrature, options.grid, options.order = kernel, quadrature, grid, order
    options.seed = seed
    samples = Samples(calibration, network.input_count).calibration() if calibration is not None else None
    source = model if isinstance(model, nn.Module) and not isinstance(model, torch.jit.ScriptModule) else None
    made = IntegralModel(_core.convert(network, options, samples), source,
                         example_of(example) if source is not None else None)
    if widths:
        made.set_widths(widths)
    return made


def zoo() -> list[dict[str, Any]]:
    """Return the cards of the trained models that come with the library.

    Each has "name" (for `IntegralModel.load`, after ``zoo:``), "summary", "data", the "commands" that made it, "parameters", and "widths" with
    the "accuracy" on "test_images" images at each "width".
    """
    return [json.loads(card) for card in _core.trained_cards()]


__all__ = ["IntegralGroup", "IntegralModel", "IntegralWrapper", "elastic", "zoo"]
