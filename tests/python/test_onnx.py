"""ONNX models that are written: checked by onnx, run by onnxruntime at two batch sizes, compared with the module."""

import numpy as np
import pytest
import torch
import torch_integral as inn
from networks import Attention, Residual, randomized
from torch import nn

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

TOLERANCE = 1e-4  # relative to the largest output: another order of summation
SMALL = ["alexnet", "densenet121", "efficientnet_b0", "googlenet", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf",
         "resnet18", "shufflenet_v2_x0_5", "squeezenet1_1", "vgg11_bn"]


def outputs_of(path, *inputs):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, (given.numpy() for given in inputs), strict=True)))


def expect_equal(model, path, *inputs):
    onnx.checker.check_model(str(path), full_check=True)
    for batch in (1, 3):
        given = [torch.cat([x] * batch)[:batch] if x.shape[0] < batch else x[:batch] for x in inputs]
        with torch.no_grad():
            expected = model(*given)
        for wanted, found in zip([expected] if isinstance(expected, torch.Tensor) else expected, outputs_of(path, *given), strict=False):
            wanted = wanted.numpy()
            assert wanted.shape == found.shape
            assert np.abs(wanted - found).max() <= TOLERANCE * np.abs(wanted).max()


@pytest.mark.parametrize("name", SMALL)
def test_torchvisions_networks(torchvision_models, tmp_path, name):
    torch.manual_seed(0)
    model = randomized(getattr(torchvision_models, name)(weights=None)).eval()
    size = 64 if name not in ("alexnet", "squeezenet1_1") else 96
    path = tmp_path / "net.onnx"
    example = torch.randn(2, 3, size, size)
    inn.save_onnx(model, path, example)
    expect_equal(model, path, example)


@pytest.mark.parametrize("name", ["densenet121", "mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_size_and_nodes_are_those_of_torchs_exporter(torchvision_models, tmp_path, name):
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    model, example = randomized(getattr(torchvision_models, name)(weights=None)).eval(), torch.randn(2, 3, 64, 64)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.02)  # torch's exporter writes equal tensors once
    torch.onnx.export(model, (example,), str(tmp_path / "torch.onnx"), dynamo=True, external_data=False, verbose=False)
    inn.save_onnx(model, tmp_path / "own.onnx", example, fold_batch_norm=True)  # as torch does
    nodes, size = ([len(onnx.load(tmp_path / f).graph.node) for f in ("own.onnx", "torch.onnx")],
                   [(tmp_path / f).stat().st_size for f in ("own.onnx", "torch.onnx")])
    assert nodes[0] <= 1.1 * nodes[1] and size[0] <= 1.1 * size[1]


def test_names_of_parameters_inputs_and_modules_are_kept(tmp_path):
    inn.save_onnx(randomized(Residual()), tmp_path / "net.onnx", torch.randn(2, 3, 8, 8))
    graph = onnx.load(tmp_path / "net.onnx").graph
    assert {name for name, _ in Residual().named_parameters()} <= {tensor.name for tensor in graph.initializer}
    assert [value.name for value in graph.input] == ["x"]
    assert {"stem/Conv", "bn/BatchNormalization", "head/Gemm"} <= {node.name for node in graph.node}


class Blocks(nn.Module):
    """Operators of transformers and upsampling networks."""

    def __init__(self):
        super().__init__()
        self.norm, self.qkv, self.out = nn.LayerNorm(16), nn.Linear(16, 48), nn.Linear(16, 16, bias=False)
        self.rms, self.group = nn.RMSNorm(16), nn.GroupNorm(4, 16)
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.table = nn.Embedding(5, 16)
        self.register_buffer("places", torch.arange(4) % 5)

    def forward(self, x):
        tokens = x.flatten(2).transpose(1, 2)
        tokens = tokens + self.table(self.places).repeat(4, 1)
        q, k, v = (part.unflatten(-1, (2, 8)).transpose(1, 2) for part in self.qkv(self.norm(tokens)).chunk(3, -1))
        q = q.repeat_interleave(2, 1)[:, 1::2]  # the same heads again
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        tokens = tokens + self.out(mixed.transpose(1, 2).flatten(2))
        tokens = nn.functional.gelu(self.rms(tokens)) - tokens.softmax(-1)
        image = self.group(tokens.transpose(1, 2).unflatten(2, (4, 4)))
        image = nn.functional.interpolate(image, scale_factor=2.0, mode="bilinear")
        image = nn.functional.pad(self.up(image).roll((1, -2), (2, 3)), (1, 2, 0, 1))
        best, _ = image.max(dim=1, keepdim=True)
        return (image.clamp(-1, 1) / (1 + best.abs())).mean((2, 3)), image.var(1)


def test_operators_of_transformers_and_of_upsampling(tmp_path):
    torch.manual_seed(0)
    model = Blocks().eval()
    for opset in (18, 20, 23):
        path = tmp_path / f"{opset}.onnx"
        inn.save_onnx(model, path, torch.randn(2, 16, 4, 4), opset=opset)
        expect_equal(model, path, torch.randn(3, 16, 4, 4))
        assert onnx.load(path).opset_import[0].version == opset


def test_networks_that_were_made_smaller(tmp_path):
    torch.manual_seed(0)
    model = randomized(Residual()).eval()
    small = inn.resample(model, (2, 3, 8, 8), keep=0.5, method="l1").model.eval()
    inn.save_onnx(small, tmp_path / "small.onnx", torch.randn(2, 3, 8, 8), fold_batch_norm=True)
    expect_equal(small, tmp_path / "small.onnx", torch.randn(3, 3, 8, 8))
    assert not [node for node in onnx.load(tmp_path / "small.onnx").graph.node if node.op_type == "BatchNormalization"]


def test_an_operator_that_cannot_be_written_is_named(tmp_path):
    class Sorted(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, x):
            return torch.special.erfcx(self.inner(x))

    with pytest.raises(ValueError, match="ONNX: operator aten::special_erfcx in module '' is not supported"):
        inn.save_onnx(Sorted(), tmp_path / "no.onnx", torch.randn(2, 4))
    with pytest.raises(ValueError, match=r"the opset must be in \[18, 23\] but got 7"):
        inn.save_onnx(Attention(), tmp_path / "no.onnx", torch.randn(2, 5, 16), opset=7)
    assert not (tmp_path / "no.onnx").exists()


class Contractions(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bilinear, self.plain = torch.nn.Bilinear(5, 5, 4), torch.nn.Bilinear(5, 5, 4, bias=False)
        self.matrix, self.cube = torch.nn.Parameter(torch.randn(7, 5)), torch.nn.Parameter(torch.randn(3, 5, 6))

    def forward(self, x):  # [batch, 3, 5]
        y = self.bilinear(x, x.flip(1)) + self.plain(x[:, :1], x[:, :1])
        summed = torch.addbmm(torch.ones(3, 3), x, x.transpose(1, 2), beta=0.5, alpha=2)
        return y, torch.inner(x, self.matrix), torch.tensordot(x, self.cube, dims=([2, 1], [1, 0])), torch.inner(x[0, 0], x[0, 1]), summed


class Counts(torch.nn.Module):
    def forward(self, x):  # [batch, 3, 5]
        numbers = (x * 4).round()
        return torch.histc(x, bins=6, min=-1, max=1), torch.histc(numbers, bins=4, min=0, max=3), (numbers.long() // 3), numbers // 3


class Statistics(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = torch.nn.InstanceNorm2d(3, affine=True, track_running_stats=True)

    def forward(self, x):
        y = self.norm(x)
        return y, torch.nn.functional.adaptive_avg_pool2d(y, (y.shape[2] // 2 + 1, 3))


def test_contractions_and_histograms(tmp_path):
    for module in (Contractions().eval(), Counts()):
        x = torch.randn(3, 3, 5)
        inn.save_onnx(module, tmp_path / "net.onnx", x)
        expect_equal(module, tmp_path / "net.onnx", x)


def test_running_statistics_and_pools_of_dynamic_sizes(tmp_path):
    module, x = Statistics(), torch.randn(3, 3, 8, 9)
    module(x), module(2 * x + 1)
    module.eval()
    sizes = [torch.export.Dim("height", min=3, max=64), torch.export.Dim("width", min=4, max=64)]
    with torch.no_grad():
        program = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64), 2: sizes[0], 3: sizes[1]},))
    inn.save_onnx(program, tmp_path / "net.onnx")
    for height, width in ((8, 9), (5, 12), (16, 4)):
        expect_equal(module, tmp_path / "net.onnx", torch.randn(3, 3, height, width))


class Numbers(nn.Module):
    def forward(self, x):
        return x.sum(1), x.shape[0] * 2 + 1, x.shape[1], 3.5


def test_numbers_as_outputs(tmp_path):
    x = torch.randn(3, 4)
    inn.save_onnx(Numbers(), tmp_path / "net.onnx", x)
    onnx.checker.check_model(str(tmp_path / "net.onnx"), full_check=True)
    sums, rows, columns, constant = outputs_of(tmp_path / "net.onnx", torch.ones(5, 4))
    assert sums.tolist() == [4] * 5 and rows.item() == 11 and columns.item() == 4 and constant.item() == 3.5


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}, {"batch_first": True, "bias": False}])
def test_lstms_with_projections(tmp_path, options):
    class Projected(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(5, 8, proj_size=3, **options)

        def forward(self, x):
            y, (h, c) = self.lstm(x.movedim(0, 1) if not self.lstm.batch_first else x)
            return y.movedim(0, 1) if not self.lstm.batch_first else y, h.movedim(0, 1), c.movedim(0, 1)

    torch.manual_seed(0)
    model = Projected().eval()
    inn.save_onnx(model, tmp_path / "net.onnx", torch.randn(3, 6, 5))
    expect_equal(model, tmp_path / "net.onnx", torch.randn(3, 6, 5))


def test_products_by_groups_of_rows(tmp_path):
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 16, 16).bfloat16().float())

        def forward(self, x, ends):
            return torch._grouped_mm(x, self.weight, offs=ends)

    torch.manual_seed(0)
    model, ends = Experts().eval(), torch.tensor([4, 4, 9], dtype=torch.int32)
    try:
        with torch.no_grad():
            torch.export.export(model, (torch.randn(9, 16), ends))
    except RuntimeError as error:
        pytest.skip(f"this torch has no grouped products of float32: {error}")
    with torch.no_grad():
        program = torch.export.export(model, (torch.randn(9, 16), ends))
    inn.save_onnx(program, tmp_path / "net.onnx")
    x = torch.randn(9, 16)
    (found,) = outputs_of(tmp_path / "net.onnx", x, ends)
    assert np.abs(found - model(x, ends).detach().numpy()).max() < 1e-4
