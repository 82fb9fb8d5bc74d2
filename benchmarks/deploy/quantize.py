"""A network made smaller, then quantized to int8 by onnxruntime and by torchao: accuracy and size, the table of docs/deploy.md.

    python quantize.py PROGRAM MODEL --calibration DATA --data DATA [inn's options of images]

PROGRAM is build/release/bin/inn, MODEL a classifier of images. The calibration data has no labels; the quantizations take the same
images. Batch norms are folded first. Sizes are those of the ONNX files.
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quant_pre_process, quantize_static
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import X86InductorQuantizer, get_default_x86_inductor_quantization_config


class Images(CalibrationDataReader):
    """Batches of normalized images for onnxruntime."""

    def __init__(self, name, images, batch=50):
        self.batches = iter([{name: images[i : i + batch]} for i in range(0, len(images), batch)])

    def get_next(self):
        return next(self.batches, None)


def session_of(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def right(path, images, labels):
    session = session_of(path)
    name = session.get_inputs()[0].name
    answers = [session.run(None, {name: images[i : i + 50]})[0].argmax(1) for i in range(0, len(images), 50)]
    return int((np.concatenate(answers) == labels).sum())


def quantize(path, images, folder):
    """Return the path of the model in int8: weights by channel, activations by tensor."""
    prepared, made = folder / "prepared.onnx", path.with_suffix(".int8.onnx")
    quant_pre_process(str(path), str(prepared))
    name = session_of(prepared).get_inputs()[0].name
    quantize_static(str(prepared), str(made), Images(name, images), quant_format=QuantFormat.QDQ, per_channel=True,
                    weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8)
    return made


def right_by_torchao(path, calibration, images, labels, batch=100):
    """How many are right after post-training quantization of the exported program."""
    module = torch.export.load(path).module()
    quantizer = X86InductorQuantizer().set_global(get_default_x86_inductor_quantization_config())
    with torch.no_grad():
        prepared = prepare_pt2e(torch.export.export(module, (torch.from_numpy(images[:batch]),)).module(), quantizer)
        for i in range(0, len(calibration), batch):
            prepared(torch.from_numpy(calibration[i : i + batch]))
        quantized = convert_pt2e(prepared)
        answers = [quantized(torch.from_numpy(images[i : i + batch])).argmax(1) for i in range(0, len(images), batch)]
    return int((torch.cat(answers).numpy() == labels).sum())


def read_images(folder, split, mean, std):
    """CIFAR binary records: a label byte and 3072 bytes red, green, blue."""
    records = np.concatenate([np.fromfile(path, np.uint8).reshape(-1, 3073) for path in sorted(Path(folder).glob("*.bin")) if split in path.name])
    images = records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255
    return (images - np.float32(mean).reshape(1, -1, 1, 1)) / np.float32(std).reshape(1, -1, 1, 1), records[:, 0].astype(np.int64)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--calibration", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--budget", default="macs=0.5")
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--mean", default="0.485,0.456,0.406")
    parser.add_argument("--std", default="0.229,0.224,0.225")
    options = parser.parse_args()
    mean, std = ([float(number) for number in text.split(",")] for text in (options.mean, options.std))
    calibration, _ = read_images(options.calibration, "data_batch", mean, std)
    images, labels = read_images(options.data, "test_batch", mean, std)
    calibration = calibration[: options.samples]
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        common = ["--mean", options.mean, "--std", options.std, "--json"]
        done = subprocess.run([options.program, "shrink", options.model, "-o", folder / "small.pt2", "--calibration", options.calibration,
                               "--samples", str(options.samples), "--budget", options.budget, "--no-distill", *common],
                              check=True, capture_output=True, text=True)
        figures = json.loads(done.stdout)
        print(f"{options.budget}: {figures['after']['macs'] / figures['before']['macs']:.3f} of the multiply-adds")
        print("| network | right of", len(labels), "| kB |\n| --- | --- | --- |")
        for name, title, network in (("source", "source", options.model), ("small", f"made smaller, {options.budget}", folder / "small.pt2")):
            path, plain = folder / f"{name}.onnx", folder / f"{name}.folded.pt2"
            for made in (path, plain):
                subprocess.run([options.program, "export", network, "-o", made, "--fold-batch-norm"], check=True, stdout=subprocess.DEVNULL)
            for shown, file in ((title, path), (f"{title}, int8 by onnxruntime", quantize(path, calibration, folder))):
                print(f"| {shown} | {right(file, images, labels)} | {file.stat().st_size / 1000:.0f} |", flush=True)
            print(f"| {title}, int8 by torchao (PT2E) | {right_by_torchao(plain, calibration, images, labels)} | |", flush=True)


if __name__ == "__main__":
    main()
