"""Reads the ONNX models inside PyPI packages, and compares what is read with onnxruntime: the table of docs/onnx.md.

    pip install --no-deps --target FOLDER rapidocr-onnxruntime==1.4.4 silero-vad==6.2.3 nudenet basic-pitch magika piper-tts
    python benchmarks/onnx/packages.py FOLDER
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import torch_integral as inn

# Example sizes of models whose sizes are open.
SIZES = {
    "320n": [[2, 3, 320, 320]],
    "ch_PP-OCRv4_det_infer": [[2, 3, 320, 320]],
    "ch_PP-OCRv4_rec_infer": [[2, 3, 48, 320]],
    "ch_ppocr_mobile_v2.0_cls_infer": [[2, 3, 48, 192]],
    "nakdimon": [[2, 40]],
    "tashkeel": [[2, 40], [2, 40], [2]],
    "silero_vad": [[2, 576], [2, 2, 128], []],
    "silero_vad_16k_op15": [[2, 576], [2, 2, 128], []],
    "silero_vad_16k_sequence": [[7, 576], [1, 1, 128], [1, 1, 128]],
    "silero_vad_half": [[2, 576], [2, 2, 128]],
    "silero_vad_op18_ifless": [[2, 576], [], [2, 2, 128]],
}
TYPES = {"tensor(float)": torch.float32, "tensor(int64)": torch.int64, "tensor(int32)": torch.int32}


def inputs_of(session, sizes, generator):
    made = []
    for value, size in zip(session.get_inputs(), sizes, strict=True):
        dtype = TYPES[value.type]
        given = torch.rand(size, generator=generator) if dtype.is_floating_point else torch.randint(0, 5, size, generator=generator, dtype=dtype)
        made.append(given)
    return made


def difference(session, run, inputs):
    """The largest over the outputs, relative to each one's largest value."""
    wanted = session.run(None, {value.name: x.numpy() for value, x in zip(session.get_inputs(), inputs, strict=True)})
    with torch.no_grad():
        found = run(inputs)
    worst = 0.0
    for a, b in zip(wanted, found, strict=True):
        b = np.asarray(b)
        assert a.shape == b.shape, f"{a.shape} and {b.shape}"
        worst = max(worst, float(np.abs(a.astype(np.float64) - b.astype(np.float64)).max() / max(np.abs(a).max(), 1e-12)))
    return worst


def session_of(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def row_of(path, folder):
    name = path.stem if path.stem != "model" else path.parent.name
    session = session_of(path)
    sizes = SIZES.get(name, [[size if isinstance(size, int) and size > 0 else 2 for size in value.shape] for value in session.get_inputs()])
    start = f"| {path.relative_to(folder).parts[0]} | {name} | {len(onnx.load(path).graph.node)} |"
    try:
        network = inn._core.Network.read(str(path), [torch.zeros(size) for size in sizes])
    except (ValueError, RuntimeError) as error:
        return f"{start} refused: {str(error).split(': ', 1)[1]} | |"
    generator = torch.Generator().manual_seed(0)

    def run(inputs):
        return [x.detach().numpy() for x in network.run(inputs)]

    read = difference(session, run, inputs_of(session, sizes, generator))
    written = folder / "written.onnx"
    network.write_onnx(str(written), 20)
    again = session_of(written)

    def run_again(inputs):
        return again.run(None, {value.name: x.numpy() for value, x in zip(again.get_inputs(), inputs, strict=True)})

    back = difference(session, run_again, inputs_of(session, sizes, generator))
    nodes = len(onnx.load(written).graph.node)
    written.unlink()
    return f"{start} {read:.0e} | {back:.0e}, {nodes} nodes |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    print("| package | model | nodes | difference when read | when written again |\n| --- | --- | --- | --- | --- |")
    for path in sorted(folder.rglob("*.onnx")):
        print(row_of(path, folder), flush=True)


if __name__ == "__main__":
    main()
