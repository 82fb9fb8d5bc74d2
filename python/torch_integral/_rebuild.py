"""A resampled network as the user's own class."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from . import _core
from ._export import deep_copy, flat_inputs, graph_module

_TOLERANCE = 1e-4  # of outputs, relative to the largest

# A group's width in the source, its width now, and the names of its tensors.
Cut = tuple[int, int, list[str]]


def _of_convolution(layer: Any) -> None:
    transposed = isinstance(layer, nn.modules.conv._ConvTransposeNd)
    first, second = layer.weight.shape[:2]
    old_first = layer.in_channels if transposed else layer.out_channels
    old_second = (layer.out_channels if transposed else layer.in_channels) // layer.groups
    if layer.groups > 1 and second == old_second and first != old_first:
        # The channels of a group stay, so there are fewer groups (a depthwise convolution).
        layer.groups = layer.groups * first // old_first
    layer.in_channels = first if transposed else second * layer.groups
    layer.out_channels = second * layer.groups if transposed else first


def _of_linear(layer: nn.Linear) -> None:
    layer.out_features, layer.in_features = layer.weight.shape


def _of_bilinear(layer: nn.Bilinear) -> None:
    layer.out_features, layer.in1_features, layer.in2_features = layer.weight.shape


def _of_channel_norm(layer: Any) -> None:
    tensor = layer.weight if layer.weight is not None else layer.running_mean
    if tensor is not None:
        layer.num_features = tensor.shape[0]


def _of_layer_norm(layer: Any) -> None:
    if layer.weight is not None:
        layer.normalized_shape = tuple(layer.weight.shape)


def _of_group_norm(layer: nn.GroupNorm) -> None:
    if layer.weight is not None and layer.weight.shape[0] != layer.num_channels:
        per_group = layer.num_channels // layer.num_groups
        layer.num_channels = layer.weight.shape[0]
        if layer.num_channels % layer.num_groups:
            layer.num_groups = max(1, layer.num_channels // per_group)


def _of_embedding(layer: Any) -> None:
    layer.num_embeddings, layer.embedding_dim = layer.weight.shape


def _of_prelu(layer: nn.PReLU) -> None:
    layer.num_parameters = layer.weight.shape[0]


def _of_attention(layer: nn.MultiheadAttention) -> None:
    embed, inner = layer.out_proj.weight.shape
    if inner != embed:
        raise ValueError("torch's MultiheadAttention has as many channels inside as outside")
    layer.embed_dim = embed
    layer.head_dim = embed // layer.num_heads
    layer.kdim = embed if layer.k_proj_weight is None else layer.k_proj_weight.shape[1]
    layer.vdim = embed if layer.v_proj_weight is None else layer.v_proj_weight.shape[1]


def _of_recurrent(layer: nn.RNNBase) -> None:
    layer.input_size = layer.weight_ih_l0.shape[1]
    layer.hidden_size = layer.weight_hh_l0.shape[1] if not layer.proj_size else layer.hidden_size
    layer.flatten_parameters()


# What the attributes of torch's layers are for tensors of other sizes.
_ATTRIBUTES = [
    (nn.modules.conv._ConvNd, _of_convolution),
    (nn.Linear, _of_linear),
    (nn.Bilinear, _of_bilinear),
    (nn.modules.batchnorm._NormBase, _of_channel_norm),
    (nn.LayerNorm, _of_layer_norm),
    (nn.RMSNorm, _of_layer_norm),
    (nn.GroupNorm, _of_group_norm),
    (nn.Embedding, _of_embedding),
    (nn.EmbeddingBag, _of_embedding),
    (nn.PReLU, _of_prelu),
    (nn.MultiheadAttention, _of_attention),
    (nn.RNNBase, _of_recurrent),
]


def update_attributes(layer: nn.Module) -> None:
    """Set the attributes of one of torch's layers to what its tensors are."""
    if type(layer).__name__ == "Conv1D" and {"nf", "nx"} <= layer.__dict__.keys():  # transformers' linear layer of GPT-2
        layer.nx, layer.nf = layer.weight.shape
        return
    for kind, update in _ATTRIBUTES:
        if isinstance(layer, kind):
            update(layer)
            return


def put_tensor(module: nn.Module, names: list[str], tensor: torch.Tensor) -> None:
    """Put a copy of a tensor in the place of a parameter or buffer, which must exist; several names stay tied."""
    new: torch.Tensor | None = None
    for name in names:
        path, _, leaf = name.rpartition(".")
        owner = module.get_submodule(path)
        old = getattr(owner, leaf)
        if new is None:
            new = tensor.detach().to(old.device).clone()
            if isinstance(old, nn.Parameter):
                new = nn.Parameter(new, requires_grad=old.requires_grad)
        if isinstance(old, nn.Parameter):
            setattr(owner, leaf, new)
        elif leaf in owner._buffers:
            owner._buffers[leaf] = new
        else:
            raise ValueError(f"{name} is neither a parameter nor a buffer of the module")


def _add_bias(module: nn.Module, name: str, tensor: torch.Tensor) -> None:
    """Add the bias that a layer gets where a batch norm is folded into it."""
    path, _, leaf = name.rpartition(".")
    try:
        owner = module.get_submodule(path)
    except AttributeError:
        owner = None
    if leaf != "bias" or owner is None or getattr(owner, "bias", ...) is not None:
        raise ValueError(f"the module has no tensor {name}")
    owner.bias = nn.Parameter(tensor.detach().clone())


def _without_folded_norms(module: nn.Module, names: set[str]) -> None:
    """Replace batch norms whose tensors the network does not have any more."""
    for name, layer in list(module.named_modules()):
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_mean is not None:
            if f"{name}.running_mean" not in names:
                path, _, leaf = name.rpartition(".")
                setattr(module.get_submodule(path), leaf, nn.Identity())


# The names by which attention modules hold their number of heads, the channels of a head, and the products of both.
_HEADS = ("num_heads", "n_heads", "heads", "n_head", "num_attention_heads", "num_key_value_heads")
_HEAD_SIZES = ("attention_head_size", "head_dim", "head_size", "dim_head")
_PRODUCTS = ("all_head_size", "inner_dim", "attn_dim", "split_size")


def _update_heads(module: nn.Module, cuts: Sequence[Cut], names: Sequence[str]) -> set[str]:
    """Set these attributes of the modules whose tensors belong to a group that was as wide and is cut; return those set."""
    done = set()
    for before, now, tensors in cuts:
        for tensor in tensors:
            path = tensor
            while path:
                path = path.rpartition(".")[0]
                owner = module.get_submodule(path)
                for name in names:
                    if owner.__dict__.get(name) == before and (path, name) not in done:
                        setattr(owner, name, now)
                        done.add((path, name))
                        for product in _PRODUCTS:
                            if isinstance(owner.__dict__.get(product), int) and name != "num_key_value_heads":
                                setattr(owner, product, getattr(owner, product) * now // before)
    return {name for _, name in done}


def _put_tensors(copy: nn.Module, network: _core.Network) -> None:
    """Give a copy of the source the network's tensors, and its layers the attributes for them."""
    _without_folded_norms(copy, {place for name, _, _, aliases in network.state for place in (name, *aliases)})
    known = dict(copy.named_parameters(remove_duplicate=False)) | dict(copy.named_buffers(remove_duplicate=False))
    for name, kind, tensor, aliases in network.state:
        if name not in known:
            if kind == "constant":  # of the code, not of the module
                continue
            _add_bias(copy, name, tensor)
            continue
        if known[name].shape == tensor.shape and torch.equal(known[name].cpu(), tensor.cpu()):
            continue
        put_tensor(copy, [place for place in (name, *aliases) if place in known], tensor)
    for layer in copy.modules():
        update_attributes(layer)


def _difference(module: nn.Module, network: _core.Network, args: tuple, kwargs: dict[str, Any]) -> float:
    """Return the largest difference of outputs, relative to the largest output."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        with torch.no_grad():
            own = [leaf for leaf in pytree.tree_leaves(module(*args, **kwargs)) if isinstance(leaf, torch.Tensor)]
            inputs = [tensor.cpu() for tensor in flat_inputs(args, kwargs)]
            expected = [leaf for leaf in network.run(inputs) if isinstance(leaf, torch.Tensor)]
    finally:
        for part, mode in modes.items():
            part.training = mode
    if len(own) != len(expected):
        return float("inf")
    worst = 0.0
    for ours, theirs in zip(own, expected):
        if ours.shape != theirs.shape:
            return float("inf")
        if ours.numel():
            scale = max(theirs.abs().max().item(), 1e-30)
            worst = max(worst, (ours.cpu().double() - theirs.double()).abs().max().item() / scale)
    return worst


def _doubled(args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    def twice(leaf: Any) -> Any:
        return torch.cat([leaf, leaf.flip(0)]) if isinstance(leaf, torch.Tensor) and leaf.dim() else leaf

    return pytree.tree_map(twice, (args, kwargs))


def rebuild(
    module: nn.Module, network: _core.Network, args: tuple, kwargs: dict[str, Any], as_module: bool = False,
    cuts: Sequence[Cut] = (),
) -> nn.Module:
    """Return a copy of `module` with the network's tensors, else the network as a GraphModule with a warning.

    The copy is accepted only if its outputs equal the network's on the example, at two batch sizes.
    """
    errors: list[Exception] = []
    # All names first, the largest set: where it updates nothing, the others do not either.
    for names in ((*_HEADS, *_HEAD_SIZES), _HEADS, _HEAD_SIZES):  # where both are equal, only one may have been cut
        updated: set[str] = set()
        try:
            copy = deep_copy(module)
            updated = _update_heads(copy, cuts, names)
            _put_tensors(copy, network)
            for given in ((args, kwargs), _doubled(args, kwargs)):
                difference = _difference(copy, network, *given)
                if not difference <= _TOLERANCE:
                    raise ValueError(f"its outputs would differ by {difference:.1e}: its code holds sizes of its own")
            return copy
        except Exception as error:
            errors.append(error)
        if not updated:
            break  # the other attempts would be the same
    reason = _place_of(errors[0])
    if as_module:
        raise ValueError(f"{type(module).__name__} can't have the new widths: {reason}") from errors[0]
    warnings.warn(
        f"a GraphModule is returned, since {type(module).__name__} can't have the new widths: {reason}", stacklevel=3
    )
    return graph_module(network)


def _place_of(error: Exception) -> str:
    """Return the message, with the line of the user's code in which it was raised."""
    own = __file__.rsplit("/", 1)[0]
    trace, place = error.__traceback__, ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(own) and "/torch/" not in file:
            place = f" ({file}:{trace.tb_lineno})"
        trace = trace.tb_next
    return str(error).strip().splitlines()[0] + place if str(error).strip() else type(error).__name__ + place
