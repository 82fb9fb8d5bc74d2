"""Trains two small transformers for some minutes each, and writes them as archives with samples to measure on.

    python train.py FOLDER vit --images DIRECTORY [--minutes M] [--device cpu]
    python train.py FOLDER decoder [--minutes M] [--device cpu]

vit: a vision transformer on class folders of 32x32 images (DIRECTORY/CLASS/*.jpg or *.png), of which 2000 are held out.
decoder: a causal transformer on bytes of the sources of Python's standard library, whose every tenth file is held out.
Writes FOLDER/NAME.pt2 (torch.export, any batch), FOLDER/NAME-test.pt (inputs and labels, held out) and
FOLDER/NAME-calibration.pt (inputs of 500 images, of 128 sequences, seen in training).
"""

import argparse
import math
import pathlib
import sysconfig
import time

import numpy
import torch
from PIL import Image
from torch.nn import functional

import networks

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TEST_IMAGES, CALIBRATION_IMAGES = 2000, 500
CONTEXT, TEST_SEQUENCES, CALIBRATION_SEQUENCES = 128, 512, 128


def read_images(folder):
    """Returns uint8 [N, 3, 32, 32] and labels [N], in an order drawn once."""
    files = sorted(path for kind in ("*.jpg", "*.png") for path in folder.glob(f"*/{kind}"))
    if not files:
        raise SystemExit(f"'{folder}' holds no CLASS/*.jpg or CLASS/*.png")
    classes = sorted({path.parent.name for path in files})
    pixels = torch.from_numpy(numpy.stack([numpy.asarray(Image.open(path).convert("RGB")) for path in files]))
    labels = torch.tensor([classes.index(path.parent.name) for path in files])
    order = torch.randperm(len(files), generator=torch.Generator().manual_seed(0))
    return pixels.permute(0, 3, 1, 2)[order].contiguous(), labels[order]


def normalized(pixels):
    mean, std = (torch.tensor(values, device=pixels.device).reshape(3, 1, 1) for values in (MEAN, STD))
    return (pixels / 255 - mean) / std


def augmented(pixels):
    """Cut at a random place of the image padded by 4, one for the whole batch, half of them mirrored."""
    down, right = torch.randint(0, 9, (2,)).tolist()
    pixels = functional.pad(pixels, (4, 4, 4, 4))[:, :, down : down + 32, right : right + 32]
    mirrored = torch.rand(len(pixels), 1, 1, 1, device=pixels.device) < 0.5
    return torch.where(mirrored, pixels.flip(3), pixels)


def read_bytes():
    """Returns the bytes of the files to learn from and of those held out."""
    files = sorted(pathlib.Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    parts = ([path for i, path in enumerate(files) if i % 10 != 0], files[::10])
    return [torch.frombuffer(bytearray(b"".join(path.read_bytes() for path in part)), dtype=torch.uint8) for part in parts]


def sequences(data, count):
    """Returns `count` sequences at even distances, and the byte that follows each of their bytes."""
    starts = torch.linspace(0, len(data) - CONTEXT - 1, count).long()
    windows = data.long()[starts[:, None] + torch.arange(CONTEXT + 1)]
    return windows[:, :-1].contiguous(), windows[:, 1:].contiguous()


def train(model, draw, options, learning_rate):
    """Minimizes the cross entropy of the batches that `draw` gives; the rate falls to 0 as the time runs out."""
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}])
    start, step, warmup = time.time(), 0, 200
    while (progress := (time.time() - start) / (60 * options.minutes)) < 1:
        rate = learning_rate * min(1, (step + 1) / warmup) * 0.5 * (1 + math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = rate
        inputs, labels = draw()
        with torch.autocast(options.device, dtype=torch.bfloat16, enabled=options.bfloat16):
            outputs = model(inputs)
        loss = functional.cross_entropy(outputs.float().flatten(0, -2), labels.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 100 == 0:
            print(f"step {step}, {time.time() - start:.0f} s: loss {loss.item():.3f}", flush=True)
    return model.cpu().eval()


def write(model, name, folder, test, calibration):
    folder.mkdir(parents=True, exist_ok=True)
    batch = torch.export.Dim("batch", min=1, max=1 << 20)
    example = (test["inputs"][:2],)
    torch.export.save(torch.export.export(model, example, dynamic_shapes=({0: batch},)), folder / f"{name}.pt2")
    torch.save(test, folder / f"{name}-test.pt")
    torch.save(calibration, folder / f"{name}-calibration.pt")
    with torch.no_grad():
        outputs = torch.cat([model(part) for part in test["inputs"].split(100)]).flatten(0, -2)
    labels = test["labels"].flatten()
    loss, right = functional.cross_entropy(outputs, labels).item(), (outputs.argmax(1) == labels).float().mean().item()
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{name}: {parameters} parameters, held out accuracy {right:.4f}, loss {loss:.4f}, perplexity {math.exp(loss):.3f}")


def train_vit(options):
    pixels, labels = read_images(options.images)
    test = {"inputs": normalized(pixels[:TEST_IMAGES]), "labels": labels[:TEST_IMAGES]}
    pixels, labels = pixels[TEST_IMAGES:].to(options.device), labels[TEST_IMAGES:].to(options.device)

    def draw():
        chosen = torch.randint(len(pixels), (128,), device=pixels.device)
        return augmented(normalized(pixels[chosen])), labels[chosen]

    model = train(networks.VisionTransformer().to(options.device), draw, options, 1e-3)
    write(model, "vit", options.folder, test, normalized(pixels[:CALIBRATION_IMAGES].cpu()))


def train_decoder(options):
    learned, held_out = read_bytes()
    inputs, labels = sequences(held_out, TEST_SEQUENCES)
    data = learned.long().to(options.device)

    def draw():
        starts = torch.randint(len(data) - CONTEXT, (32, 1), device=data.device)
        windows = data[starts + torch.arange(CONTEXT + 1, device=data.device)]
        return windows[:, :-1], windows[:, 1:]

    model = train(networks.Decoder(context=CONTEXT).to(options.device), draw, options, 2e-3)
    write(model, "decoder", options.folder, {"inputs": inputs, "labels": labels}, sequences(learned, CALIBRATION_SEQUENCES)[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("network", choices=("vit", "decoder"))
    parser.add_argument("--images", type=pathlib.Path, help="class folders of 32x32 images, for vit")
    parser.add_argument("--minutes", type=float, default=12)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bfloat16", action="store_true", help="train in bfloat16 where that is faster")
    options = parser.parse_args()
    if options.network == "vit" and options.images is None:
        parser.error("vit needs --images")
    torch.manual_seed(0)
    {"vit": train_vit, "decoder": train_decoder}[options.network](options)


if __name__ == "__main__":
    main()
