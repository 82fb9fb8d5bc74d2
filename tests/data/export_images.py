"""Images that Pillow wrote, and what Pillow and torchvision's rules make of them.

    python export_images.py FOLDER
"""

import pathlib
import sys

import numpy
import torch
from PIL import Image


def picture(height, width, seed):
    rng = numpy.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (7, 9, 3), dtype=numpy.uint8))
    return coarse.resize((width, height), Image.BICUBIC)


def save(folder, name, image):
    pixels = numpy.asarray(image)
    torch.save(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].contiguous(), folder / f"{name}.pt")


def framed(image, size):
    """Resize(R) and CenterCrop(size) by the rules of torchvision, on Pillow's images."""
    side = int(size * 256 / 224 + 0.5)
    width, height = image.size
    if width <= height:
        resized = image.resize((side, int(side * height / width)), Image.BILINEAR)
    else:
        resized = image.resize((int(side * width / height), side), Image.BILINEAR)
    left, top = round((resized.width - size) / 2.0), round((resized.height - size) / 2.0)
    return resized.crop((left, top, left + size, top + size))


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    image = picture(90, 120, 0)
    image.save(folder / "rgb420.jpg", quality=85)
    image.save(folder / "rgb444.jpg", quality=90, subsampling=0)
    image.save(folder / "progressive.jpg", quality=80, progressive=True)
    image.convert("L").save(folder / "gray.jpg")
    image.convert("CMYK").save(folder / "cmyk.jpg", quality=95)
    image.save(folder / "rgb.png")
    picture(150, 70, 1).save(folder / "tall.png")
    translucent = image.copy()
    translucent.putalpha(picture(90, 120, 2).convert("L"))
    translucent.save(folder / "rgba.png")
    image.convert("L").save(folder / "gray.png")
    image.quantize(64).save(folder / "palette.png")
    for path in [*folder.glob("*.jpg"), *folder.glob("*.png")]:
        save(folder, path.name, Image.open(path).convert("RGB"))
    deep = numpy.arange(40 * 50, dtype=numpy.uint16).reshape(40, 50) * 32
    Image.fromarray(deep).save(folder / "gray16.png")
    save(folder, "gray16.png", numpy.repeat(numpy.round(deep / 257).astype(numpy.uint8)[..., None], 3, axis=2))
    for name in ("rgb.png", "tall.png"):
        for size in (24, 33, 56):
            save(folder, f"{name}.{size}", framed(Image.open(folder / name), size))
    (folder / "complete").touch()


if __name__ == "__main__":
    main()
