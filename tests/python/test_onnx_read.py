"""ONNX models that are read: ONNX's own cases of every operator, models that torch's two exporters wrote, and bad files."""

import subprocess
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_integral as inn
from networks import Attention, Residual, randomized
from torch import nn

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

TOLERANCE = 1e-4  # relative to the largest output: another order of summation
PROGRAM = Path(__file__).parents[2] / "build/release/bin/inn"

# Cases whose values differ, and why.
DIFFERENT = {
    "test_top_k_same_values": "the order of equal numbers",
    "test_top_k_same_values_2d": "the order of equal numbers",
    "test_top_k_same_values_largest": "the order of equal numbers",
    "test_gather_negative_indices": "indices from the end are known only as constants",
    "test_gather_elements_negative_indices": "indices from the end are known only as constants",
    "test_scatter_elements_with_negative_indices": "indices from the end are known only as constants",
}
# Cases that onnxruntime, or the checker, does not run when they are written again, or gives others' values for.
DIFFERENT_WRITTEN = {
    "test_attention_23_boolmask_fullymasked_row_nan_robustness": "torch gives zeros where nothing is attended to, Softmax NaN",
    "test_mod_float_edge_cases_fmod_0_float16": "infinities",
    "test_mod_float_edge_cases_fmod_0_float32": "infinities",
    "test_mod_float_edge_cases_fmod_0_float64": "infinities",
    "test_celu_float16": "ONNX has Celu for float32 only",
    "test_max_int16": "onnxruntime has no such Max",
    "test_min_int16": "onnxruntime has no such Min",
    "test_maxpool_2d_ceil_output_size_reduce_by_one": "the checker infers another size",
}


def is_close(wanted, found):
    if wanted.shape != found.shape or wanted.dtype != found.dtype:
        return False
    atol = 1e-3 if wanted.dtype == np.float16 else 1e-5
    return np.allclose(wanted.astype(np.float64), found.astype(np.float64), rtol=1e-3, atol=atol, equal_nan=True)


def session_of(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def run_by_onnxruntime(path, inputs):
    session = session_of(path)
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def node_cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        cases = collect_testcases(None)
    for case in cases:
        if case.model is None:
            continue
        inputs, outputs = case.data_sets[0]
        if any(not isinstance(x, (np.ndarray, np.generic, int, float)) for x in [*inputs, *outputs]):
            continue  # sequences, optionals
        inputs, outputs = [np.asarray(x) for x in inputs], [np.asarray(x) for x in outputs]
        try:
            tensors = [torch.from_numpy(np.ascontiguousarray(x).reshape(x.shape)) for x in inputs]
        except TypeError:
            continue  # a type that torch lacks
        yield case, inputs, tensors, outputs


def test_onnxs_own_cases_of_every_operator(tmp_path):
    """All inputs open, and all but the first constants: what is read gives the values, and so does what is written again."""
    read = written = 0
    wrong = []
    for case, inputs, tensors, outputs in node_cases():
        for is_open in (True, False):
            model = onnx.ModelProto()
            model.CopyFrom(case.model)
            for opset in model.opset_import:
                opset.version = min(max(opset.version, 11), 23)
            count = len(inputs)
            if not is_open:
                if count < 2:
                    continue
                for value, array in list(zip(model.graph.input, inputs, strict=True))[1:]:
                    model.graph.initializer.append(numpy_helper.from_array(array, value.name))
                count = 1
            onnx.save(model, tmp_path / "case.onnx")
            try:
                network = inn._core.Network.read(str(tmp_path / "case.onnx"), tensors[:count])
            except (ValueError, RuntimeError) as error:
                assert "\n" not in str(error) and "case.onnx" in str(error)
                continue
            try:
                found = [x.detach().numpy() for x in network.run(tensors[:count])]
                is_right = all(map(is_close, outputs, found))
            except RuntimeError:
                is_right = False
            if not is_right:
                if case.name not in DIFFERENT:
                    wrong.append((case.name, "read"))
                continue
            read += 1
            try:
                network.write_onnx(str(tmp_path / "again.onnx"), 20)
            except ValueError:
                continue
            try:
                onnx.checker.check_model(str(tmp_path / "again.onnx"), full_check=True)
                is_right = all(map(is_close, outputs, run_by_onnxruntime(tmp_path / "again.onnx", inputs[:count])))
            except Exception:  # of any kind: onnxruntime has its own
                is_right = False
            written += is_right
            if not is_right and case.name not in DIFFERENT_WRITTEN:
                wrong.append((case.name, "written"))
    assert not wrong
    assert read > 1400 and written > 1400


def expect_equal(path, network, *inputs):
    for wanted, found in zip(run_by_onnxruntime(path, [x.numpy() for x in inputs]), network.run(list(inputs)), strict=True):
        found = found.detach().numpy()
        assert wanted.shape == found.shape
        assert np.abs(wanted - found).max() <= TOLERANCE * np.abs(wanted).max()


class Gates(nn.Module):
    """Layers that the exporters write in their own ways: recurrent ones, attention, interpolation, a reshape by sizes."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(8, 6, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(12, 8, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        y, _ = self.gru(self.encoder(x)[0])
        y = self.norm(x + self.attention(y, y, y, need_weights=False)[0])
        y = nn.functional.interpolate(y.unsqueeze(1), scale_factor=2.0, mode="bilinear")
        y = y.reshape(y.shape[0], -1, 8)
        return self.head(nn.functional.gelu(y)).softmax(-1).mean(1)


MODELS = {
    "Residual": (lambda: randomized(Residual()), (2, 3, 8, 8)),
    "Attention": (Attention, (2, 5, 16)),
    "Gates": (Gates, (2, 5, 8)),
}


def export(model, path, example, exporter):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "TorchScript":
            torch.onnx.export(model, (example,), str(path), dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "batch"}},
                              opset_version=17)
        else:
            pytest.importorskip("onnxscript")
            torch.onnx.export(model, (example,), str(path), dynamo=True, external_data=False, verbose=False,
                              dynamic_shapes=({0: torch.export.Dim("batch", min=1)},))


@pytest.mark.parametrize("exporter", ["TorchScript", "torch.export"])
@pytest.mark.parametrize("name", MODELS)
def test_what_torch_exports(tmp_path, name, exporter):
    torch.manual_seed(0)
    model, shape = MODELS[name][0]().eval(), MODELS[name][1]
    export(model, tmp_path / "net.onnx", torch.randn(shape), exporter)
    network = inn._core.Network.read(str(tmp_path / "net.onnx"))
    for batch in (1, 2, 5):
        expect_equal(tmp_path / "net.onnx", network, torch.randn(batch, *shape[1:]))
    # Back to ONNX, and by way of a .pt2.
    network.write(str(tmp_path / "net.pt2"))
    inn.save_onnx(tmp_path / "net.pt2", tmp_path / "again.onnx")
    x = torch.randn(3, *shape[1:])
    (first,), (second,) = (run_by_onnxruntime(tmp_path / file, [x.numpy()]) for file in ("net.onnx", "again.onnx"))
    assert np.abs(first - second).max() <= 1e-5 * max(1, np.abs(first).max())
    assert session_of(tmp_path / "again.onnx").get_inputs()[0].shape[0] != 2


@pytest.mark.parametrize("exporter", ["TorchScript", "torch.export"])
@pytest.mark.parametrize("name", ["mobilenet_v3_small", "shufflenet_v2_x0_5", "swin_v2_t", "vit_b_16"])
def test_torchvisions_networks(torchvision_models, tmp_path, name, exporter):
    torch.manual_seed(0)
    model = randomized(getattr(torchvision_models, name)(weights=None)).eval()
    if name == "vit_b_16":
        nn.init.normal_(model.heads.head.weight, std=0.02)
    size = 224 if name == "vit_b_16" else 64
    export(model, tmp_path / "net.onnx", torch.randn(2, 3, size, size), exporter)
    network = inn._core.Network.read(str(tmp_path / "net.onnx"))
    for batch in (1, 3):
        expect_equal(tmp_path / "net.onnx", network, torch.randn(batch, 3, size, size))


def test_weights_keep_their_names_and_kinds(tmp_path):
    export(randomized(Residual()).eval(), tmp_path / "net.onnx", torch.randn(2, 3, 8, 8), "TorchScript")
    state = {name: kind for name, kind, _, _ in inn._core.Network.read(str(tmp_path / "net.onnx")).state}
    initializers = {tensor.name for tensor in onnx.load(tmp_path / "net.onnx").graph.initializer}
    assert set(state) <= initializers and set(state.values()) == {"parameter"}
    inn.save_onnx(Attention(), tmp_path / "own.onnx", torch.randn(2, 5, 16))
    own = {name for name, kind, _, _ in inn._core.Network.read(str(tmp_path / "own.onnx")).state if kind == "parameter"}
    assert own == {name for name, _ in Attention().named_parameters()}  # matrices that were written transposed too


def test_names_of_tensors_that_are_made_do_not_clash(tmp_path):
    weights = [("w", np.random.RandomState(0).randn(4, 4).astype(np.float32)), ("w.T", np.random.RandomState(1).randn(4, 4).astype(np.float32))]
    model = small_model(helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "w.T"], ["y"]), initializers=weights)
    onnx.save(model, tmp_path / "net.onnx")
    network = inn._core.Network.read(str(tmp_path / "net.onnx"))
    expect_equal(tmp_path / "net.onnx", network, torch.randn(3, 4))
    assert len({name for name, _, _, _ in network.state}) == 2


def test_a_model_is_made_smaller_like_its_source(tmp_path):
    torch.manual_seed(0)
    model = randomized(Residual()).eval()
    inn.save_onnx(model, tmp_path / "net.onnx", torch.randn(2, 3, 8, 8))
    x = torch.randn(3, 3, 8, 8)
    wanted = inn.resample(model, (2, 3, 8, 8), keep=0.5, method="l1").model(x)
    found = inn.resample(tmp_path / "net.onnx", keep=0.5, method="l1").model(x)
    torch.testing.assert_close(found, wanted)


def test_the_program_takes_and_writes_onnx(tmp_path):
    if not PROGRAM.exists():
        pytest.skip("the program was not built")
    torch.manual_seed(0)
    export(randomized(Residual()).eval(), tmp_path / "net.onnx", torch.randn(2, 3, 8, 8), "TorchScript")
    done = subprocess.run([PROGRAM, "resample", tmp_path / "net.onnx", "-o", tmp_path / "half.onnx", "--keep", "0.5"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    onnx.checker.check_model(str(tmp_path / "half.onnx"), full_check=True)
    assert (tmp_path / "half.onnx").stat().st_size < (tmp_path / "net.onnx").stat().st_size
    (y,) = run_by_onnxruntime(tmp_path / "half.onnx", [np.zeros((5, 3, 8, 8), np.float32)])
    assert y.shape == (5, 5)


def test_a_model_as_a_program_of_torch(tmp_path):
    torch.manual_seed(0)
    export(randomized(Residual()).eval(), tmp_path / "net.onnx", torch.randn(2, 3, 8, 8), "TorchScript")
    program = inn.load_onnx(tmp_path / "net.onnx")
    assert isinstance(program, torch.export.ExportedProgram)
    x = torch.randn(4, 3, 8, 8)
    with torch.no_grad():
        found = program.module()(x).numpy()
    assert np.abs(found - run_by_onnxruntime(tmp_path / "net.onnx", [x.numpy()])[0]).max() < 1e-5


def small_model(*nodes, shape=("batch", 4), initializers=(), outputs=("y",), opset=17):
    graph = helper.make_graph(list(nodes), "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
                              [numpy_helper.from_array(np.asarray(array), name) for name, array in initializers])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def refusal(model, path, error=(ValueError, RuntimeError), examples=()):
    path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
    with pytest.raises(error) as caught:
        inn._core.Network.read(str(path), list(examples))
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    return message


def test_sizes_that_stay_open(tmp_path):
    """Two open sizes and their product; images in multiples of 32; a table of positions as long as the input."""
    length = [helper.make_node("Shape", ["x"], ["shape"]), helper.make_node("Constant", [], ["one"], value_int=1),
              helper.make_node("Gather", ["shape", "one"], ["length"]), helper.make_node("Constant", [], ["zero"], value_int=0),
              helper.make_node("Range", ["zero", "length", "one"], ["places"]),
              helper.make_node("Gather", ["table", "places"], ["positions"]),
              helper.make_node("Add", ["x", "positions"], ["sum"]),
              helper.make_node("Constant", [], ["rows"], value_ints=[-1, 4]), helper.make_node("Reshape", ["sum", "rows"], ["y"])]
    model = small_model(*length, shape=("batch", "length", 4),
                        initializers=[("table", np.random.RandomState(0).randn(50, 4).astype(np.float32))])
    onnx.save(model, tmp_path / "net.onnx")
    network = inn._core.Network.read(str(tmp_path / "net.onnx"), [torch.zeros(2, 6, 4)])
    for shape in ((1, 1, 4), (3, 50, 4)):
        expect_equal(tmp_path / "net.onnx", network, torch.randn(shape))

    halves = [helper.make_node("MaxPool", ["x"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
              helper.make_node("Shape", ["x"], ["shape"]), helper.make_node("Slice", ["shape", "two", "four"], ["size"]),
              helper.make_node("Concat", ["ones", "size"], ["wanted"], axis=0),
              helper.make_node("Resize", ["half", "", "", "wanted"], ["y"], mode="linear")]
    model = small_model(*halves, shape=("batch", 1, "height", "width"), initializers=[
        ("two", np.array([2])), ("four", np.array([4])), ("ones", np.array([2, 1]))])
    onnx.save(model, tmp_path / "images.onnx")
    network = inn._core.Network.read(str(tmp_path / "images.onnx"), [torch.zeros(2, 1, 64, 32)])
    expect_equal(tmp_path / "images.onnx", network, torch.randn(2, 1, 64, 32))


def test_what_is_not_supported_is_named(tmp_path):
    path = tmp_path / "net.onnx"
    node = helper.make_node
    assert "'Loop' is not supported" in refusal(small_model(node("Loop", ["", ""], ["y"], name="repeat")), path)
    assert "Node 'q' (QuantizeLinear): the operator 'QuantizeLinear' is not supported" in refusal(
        small_model(node("QuantizeLinear", ["x", "x"], ["y"], name="q")), path)
    assert "com.microsoft::FusedConv" in refusal(small_model(node("FusedConv", ["x"], ["y"], domain="com.microsoft")), path)
    assert "attribute 'flavour' is not supported" in refusal(small_model(node("Relu", ["x"], ["y"], flavour=1)), path)
    assert "the opset must be in [11, 23] but is 7" in refusal(small_model(node("Relu", ["x"], ["y"]), opset=7), path)
    assert "an example of its sizes is required" in refusal(small_model(node("Relu", ["x"], ["y"]), shape=("n", "m")), path)
    assert "is given for axis 1" in refusal(small_model(node("Relu", ["x"], ["y"])), path, examples=[torch.zeros(2, 5)])
    assert "depends on the data" in refusal(
        small_model(node("Cast", ["x"], ["sizes"], to=TensorProto.INT64), node("Reshape", ["x", "sizes"], ["y"]), shape=(2,)), path)
    branch = helper.make_graph([node("Relu", ["x"], ["z"])], "b", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)])
    assert "control flow that depends on data" in refusal(
        small_model(node("Cast", ["x"], ["c"], to=TensorProto.BOOL), node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
                    shape=(1,)), path)


def test_files_that_are_no_models(tmp_path):
    path = tmp_path / "net.onnx"
    node = helper.make_node
    good = small_model(node("MatMul", ["x", "w"], ["y"]), initializers=[("w", np.eye(4, dtype=np.float32))])
    assert "it is empty" in refusal(b"", path)
    refusal(b"\x7fELF" + bytes(100), path)
    assert "defined twice" in refusal(small_model(node("Relu", ["x"], ["y"]), node("Abs", ["x"], ["y"])), path)
    assert "is not defined before it" in refusal(small_model(node("Relu", ["z"], ["y"])), path)
    assert "never computed" in refusal(small_model(node("Relu", ["x"], ["z"])), path)
    nan = small_model(node("MatMul", ["x", "w"], ["y"]), initializers=[("w", np.full((4, 4), np.nan, np.float32))])
    assert "Tensor 'w.T' contains NaN" in refusal(nan, path)
    for dims in ([5, 4], [2**40, 2**40], [-4, -4]):
        del good.graph.initializer[0].dims[:]
        good.graph.initializer[0].dims.extend(dims)
        assert "tensor 'w'" in refusal(good, path)
    nested = helper.make_graph([], "g", [], [])
    for _ in range(20):
        nested = helper.make_graph([node("If", ["c"], ["y"], then_branch=nested)], "g", [], [])
    deep = small_model(node("Relu", ["x"], ["y"]))
    deep.graph.node.extend(nested.node)
    assert "nest deeper" in refusal(deep, path)


def test_a_model_does_not_take_the_machines_memory(tmp_path):
    node = helper.make_node
    huge = small_model(node("ConstantOfShape", ["n"], ["big"]), node("Add", ["x", "big"], ["y"]), initializers=[("n", np.array([2**45, 4]))])
    assert "more than the memory" in refusal(huge, tmp_path / "net.onnx")
    steps = [node("Concat", ["x" if i == 0 else f"x{i}"] * 8, [f"x{i + 1}"], axis=1) for i in range(14)]
    assert "more than the memory" in refusal(small_model(*steps, node("Relu", ["x14"], ["y"])), tmp_path / "net.onnx")


def test_weights_beside_the_model_and_nowhere_else(tmp_path):
    path = tmp_path / "models" / "net.onnx"
    path.parent.mkdir()
    weights = np.random.RandomState(0).randn(4, 300).astype(np.float32)
    onnx.save(small_model(helper.make_node("MatMul", ["x", "w"], ["y"]), initializers=[("w", weights)]), path, save_as_external_data=True,
              location="weights.bin", size_threshold=0)
    expect_equal(path, inn._core.Network.read(str(path)), torch.randn(3, 4))
    model = onnx.load(path, load_external_data=False)
    (tmp_path / "secret").write_bytes(bytes(4800))
    (path.parent / "link").symlink_to(tmp_path / "secret")
    for location in ("../secret", str(tmp_path / "secret"), "link", "a/../../secret", ""):
        model.graph.initializer[0].external_data[0].value = location
        assert "external data" in refusal(model, path)
    model.graph.initializer[0].external_data[0].value = "gone.bin"
    assert "there is no file 'gone.bin'" in refusal(model, path)
    model.graph.initializer[0].external_data[0].value = "weights.bin"
    for key, value in (("offset", "4096"), ("offset", "-8"), ("length", "12"), ("offset", "many")):
        entries = {entry.key: entry for entry in model.graph.initializer[0].external_data}
        before, entries[key].value = entries[key].value, value
        assert "external data" in refusal(model, path)
        entries[key].value = before
