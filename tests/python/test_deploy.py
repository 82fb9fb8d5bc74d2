"""What docs/deploy.md shows: a network that was made smaller, where it runs."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import torch_integral as inn
from networks import Residual, randomized

EXAMPLE = Path(__file__).parents[2] / "build/release/bin/example_compiled_package"
X = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def small():
    torch.manual_seed(0)
    return inn.resample(randomized(Residual()).eval(), (2, 3, 8, 8), keep=0.5, method="l1").model.eval()


def close(found, wanted, tolerance):
    return float((torch.as_tensor(found) - wanted).abs().max()) <= tolerance * float(wanted.abs().max())


def test_compiled_ahead_of_time(small, tmp_path):
    if shutil.which("g++") is None:
        pytest.skip("no C++ compiler here")
    batch = torch.export.Dim("batch", min=1, max=64)
    with torch.no_grad():
        program = torch.export.export(small, (X,), dynamic_shapes=({0: batch},))
        package = torch._inductor.aoti_compile_and_package(program, package_path=str(tmp_path / "small.pt2"))
        run = torch._inductor.aoti_load_package(package)
        for count in (1, 16):
            assert close(run(X[:count]), small(X[:count]), 1e-4)
    if EXAMPLE.exists():
        torch.export.save(program, tmp_path / "network.pt2")
        told = subprocess.run([EXAMPLE, tmp_path / "network.pt2", package, "1", "5"], capture_output=True, text=True)
        assert told.returncode == 0, told.stderr
        assert float(re.search(r"difference (\S+)", told.stdout)[1]) < 1e-4 and "AOTInductor" in told.stdout


def test_quantized_by_onnxruntime(small, tmp_path):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quant_pre_process, quantize_static

    class Batches(CalibrationDataReader):
        def __init__(self):
            self.left = [{"x": X.numpy()}]

        def get_next(self):
            return self.left.pop() if self.left else None

    inn.save_onnx(small, tmp_path / "small.onnx", X, fold_batch_norm=True)
    quant_pre_process(str(tmp_path / "small.onnx"), str(tmp_path / "prepared.onnx"))
    quantize_static(str(tmp_path / "prepared.onnx"), str(tmp_path / "int8.onnx"), Batches(), per_channel=True, weight_type=QuantType.QInt8)
    (found,) = onnxruntime.InferenceSession(str(tmp_path / "int8.onnx"), providers=["CPUExecutionProvider"]).run(None, {"x": X.numpy()})
    with torch.no_grad():
        wanted = small(X)
    assert close(found, wanted, 0.1) and not np.array_equal(found, wanted.numpy())


def test_quantized_by_torchao(small, tmp_path):
    pytest.importorskip("torchao")
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import X86InductorQuantizer, get_default_x86_inductor_quantization_config

    quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())
    with torch.no_grad():
        prepared = prepare_pt2e(torch.export.export(small, (X,)).module(), quantizer)
        prepared(X)
        quantized = convert_pt2e(prepared)
        found, wanted = quantized(X), small(X)
    assert close(found, wanted, 0.1) and not found.equal(wanted)


def test_executorch(small, tmp_path):
    pytest.importorskip("executorch.exir")
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from executorch.runtime import Runtime

    with torch.no_grad():
        program = torch.export.export(small, (X,))
        (tmp_path / "small.pte").write_bytes(to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()]).to_executorch().buffer)
        method = Runtime.get().load_program(tmp_path / "small.pte").load_method("forward")
        assert close(method.execute([X])[0], small(X), 1e-4)


def test_torchscript_and_torch_compile(small, tmp_path):
    with torch.no_grad():
        torch.jit.trace(small, X).save(str(tmp_path / "small.pt"))
        assert close(torch.jit.load(str(tmp_path / "small.pt"))(X), small(X), 1e-5)
        assert close(torch.compile(small, backend="eager")(X), small(X), 1e-5)
