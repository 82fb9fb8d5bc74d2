"""The operators of the library in torch's registry."""

from typing import Any

import pytest
import torch
import torch_integral  # noqa: F401  registers them


def dense(index, weight, n):
    matrix = torch.zeros(index.shape[0], n, dtype=weight.dtype)
    return matrix.index_put((torch.arange(index.shape[0])[:, None].expand_as(index), index), weight, accumulate=True)


def taps(m, k, n, dtype=torch.float64):
    return torch.randint(0, n, (m, k)), torch.randn(m, k, dtype=dtype)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_taps_equal_a_matrix(axis):
    x = torch.randn(5, 6, 7, dtype=torch.float64)
    n = x.shape[axis]
    index, weight = taps(4, 3, n)
    expected = torch.movedim(torch.einsum("mn,n...->m...", dense(index, weight, n), x.movedim(axis, 0)), 0, axis)
    assert torch.allclose(torch.ops.inn.sample_taps(x, index, weight, axis), expected)


def test_gradients_are_those_of_finite_differences_twice():
    index, weight = taps(4, 2, 5)
    x = torch.randn(3, 5, requires_grad=True, dtype=torch.float64)
    weight.requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: torch.ops.inn.sample_taps(a, index, b, 1), (x, weight))
    assert torch.autograd.gradgradcheck(lambda a, b: torch.ops.inn.sample_taps(a, index, b, 1), (x, weight))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("channels_last", [False, True])
def test_opcheck(dtype, channels_last):
    x = torch.randn(6, 5, 3, 3, dtype=dtype)
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    x.requires_grad_()
    sums = torch.float64 if dtype == torch.float64 else torch.float32
    begin = [torch.tensor([0, 2, 3, 5]), torch.tensor([0, 1, 4])]
    column = [torch.tensor([0, 5, 2, 3, 1]), torch.tensor([4, 0, 1, 2])]
    value = [torch.randn(5, dtype=sums, requires_grad=True), None]
    numbers = [0, 1, 1, 3, 6, 1, 1, 1, 2, 5]
    torch.library.opcheck(torch.ops.inn.sample_sparse, (x, begin, column, value, numbers))
    torch.library.opcheck(torch.ops.inn.sample_sparse, (x.detach(), begin[:1], column[:1], [None], numbers[:5]))
    index, weight = taps(4, 2, 5, torch.float32)
    torch.library.opcheck(torch.ops.inn.sample_taps, (x, index, weight.requires_grad_(), 1))
    torch.library.opcheck(torch.ops.inn.transposed_entries, (begin[0], column[0], 6))
    back = torch.randn(3, 5, 3, 3, dtype=dtype)
    torch.library.opcheck(
        torch.ops.inn.sample_sparse_gradient, (x.detach(), back, begin[0], column[0], value[0].detach(), numbers[:5])
    )


def test_compiled_functions_have_no_graph_break():
    index, weight = taps(4, 2, 6, torch.float32)

    def layer(x, w, b):
        return torch.nn.functional.linear(x, torch.ops.inn.sample_taps(w, index, b, 0)).square().sum()

    x, w = torch.randn(2, 3), torch.randn(6, 3, requires_grad=True)
    weight.requires_grad_()
    expected = torch.autograd.grad(layer(x, w, weight), (w, weight))
    found = torch.autograd.grad(torch.compile(layer, fullgraph=True, backend="aot_eager")(x, w, weight), (w, weight))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(expected, found))


def test_wrong_arguments_are_errors():
    x = torch.randn(4, 3)
    begin, column = torch.tensor([0, 1, 2]), torch.tensor([0, 3])

    def sample(x: Any = x, begin: Any = begin, column: Any = column, value: Any = None, numbers: Any = (0, 1, 1, 2, 4)):
        return torch.ops.inn.sample_sparse(x, [begin], [column], [value], list(numbers))

    assert torch.equal(sample(), x[[0, 3]])
    for wrong in (
        {"column": torch.tensor([0, 4])},
        {"column": torch.tensor([-1, 0])},
        {"begin": torch.tensor([0, 2])},
        {"begin": torch.tensor([0, 3, 2])},
        {"begin": begin.int()},
        {"value": torch.ones(3)},
        {"value": torch.ones(2, dtype=torch.float64)},
        {"numbers": (0, 1, 1, 2, 5)},
        {"numbers": (2, 1, 1, 2, 4)},
        {"numbers": (0, 1, 1)},
        {"x": x.long()},
        {"x": torch.randn(())},
    ):
        with pytest.raises((ValueError, RuntimeError)):
            sample(**wrong)
    with pytest.raises((ValueError, RuntimeError)):
        torch.ops.inn.sample_taps(x, torch.tensor([[7]]), torch.ones(1, 1), 0)
    with pytest.raises((ValueError, RuntimeError)):
        torch.ops.inn.sample_taps(x, torch.tensor([0]), torch.ones(1, 1), 0)
