"""A YOLO-like detector trained on synthetic shapes, made smaller without labels: mean average precision before and after.

    python yolo.py [--steps N] [--keep 0.75,0.5] [--images N]

The network has YOLOv8's parts: C2f stages whose halves pass through blocks, SPPF, a neck of two levels, decoupled heads with distribution focal loss.
Bring your own in the same way: pass inn the module up to its raw predictions, and leave decoding and non-maximum suppression outside, as `decode`
is here (of an exported detector: export without `nms=True`).
"""

import argparse
import time

import torch
import torch_integral as inn
from torch import nn
from torch.nn import functional as F

SIZE, STRIDES, BINS, CLASSES = 96, (8, 16), 8, ("circle", "square", "triangle")
CENTERS = torch.cat([torch.stack(torch.meshgrid(*[torch.arange(SIZE // s) * s + s / 2] * 2, indexing="xy"), -1).reshape(-1, 2) for s in STRIDES])
CELLS = torch.cat([torch.full(((SIZE // s) ** 2,), float(s)) for s in STRIDES])  # the stride of each


class Conv(nn.Sequential):
    def __init__(self, inputs, outputs, kernel=3, stride=1):
        super().__init__(nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.SiLU())


class C2f(nn.Module):
    """Halves of a stage, one of which passes through blocks; all of them are joined."""

    def __init__(self, inputs, outputs, blocks=1):
        super().__init__()
        self.split, self.join = Conv(inputs, outputs, 1), Conv((2 + blocks) * outputs // 2, outputs, 1)
        self.blocks = nn.ModuleList(nn.Sequential(Conv(outputs // 2, outputs // 2), Conv(outputs // 2, outputs // 2)) for _ in range(blocks))

    def forward(self, x):
        parts = list(self.split(x).chunk(2, 1))
        for block in self.blocks:
            parts.append(parts[-1] + block(parts[-1]))
        return self.join(torch.cat(parts, 1))


class SPPF(nn.Module):
    """The same pooling once, twice and three times."""

    def __init__(self, width):
        super().__init__()
        self.reduce, self.join = Conv(width, width // 2, 1), Conv(2 * width, width, 1)

    def forward(self, x):
        parts = [self.reduce(x)]
        for _ in range(3):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        return self.join(torch.cat(parts, 1))


class Detector(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        w = width
        self.stem = nn.Sequential(Conv(3, w, 3, 2), Conv(w, 2 * w, 3, 2), C2f(2 * w, 2 * w), Conv(2 * w, 4 * w, 3, 2))
        self.level3, self.level4 = C2f(4 * w, 4 * w), nn.Sequential(Conv(4 * w, 8 * w, 3, 2), C2f(8 * w, 8 * w), SPPF(8 * w))
        self.up, self.down, self.out4 = C2f(12 * w, 4 * w), Conv(4 * w, 4 * w, 3, 2), C2f(12 * w, 8 * w)
        self.boxes = nn.ModuleList(nn.Sequential(Conv(c, 2 * w), Conv(2 * w, 2 * w), nn.Conv2d(2 * w, 4 * BINS, 1)) for c in (4 * w, 8 * w))
        self.classes = nn.ModuleList(nn.Sequential(Conv(c, 2 * w), Conv(2 * w, 2 * w), nn.Conv2d(2 * w, len(CLASSES), 1)) for c in (4 * w, 8 * w))
        for head in self.classes:
            nn.init.constant_(head[-1].bias, -4.0)  # few cells hold an object

    def forward(self, x):
        """Return raw predictions [batch, 4·bins + classes, cells]."""
        p3 = self.level3(self.stem(x))
        p4 = self.level4(p3)
        p3 = self.up(torch.cat([F.interpolate(p4, scale_factor=2.0), p3], 1))
        p4 = self.out4(torch.cat([self.down(p3), p4], 1))
        levels = [torch.cat([box(p), cls(p)], 1).flatten(2) for p, box, cls in zip((p3, p4), self.boxes, self.classes, strict=True)]
        return torch.cat(levels, 2)


def distances(raw):
    """The expected distance of each cell's center to the box's sides, in strides: [batch, cells, 4]."""
    bins = raw[:, : 4 * BINS].unflatten(1, (4, BINS)).softmax(2)
    return (bins * torch.arange(BINS, dtype=raw.dtype)[:, None]).sum(2).transpose(1, 2)


def decode(raw):
    """Return boxes [batch, cells, 4] as corners in pixels, and the classes' probabilities."""
    sides = distances(raw) * CELLS[:, None]
    return torch.cat([CENTERS - sides[..., :2], CENTERS + sides[..., 2:]], -1), raw[:, 4 * BINS :].sigmoid().transpose(1, 2)


def picture(generator):
    """Return an image of one to three shapes on noise, their boxes and classes."""
    def uniform(low, high):
        return float(torch.rand((), generator=generator)) * (high - low) + low

    image = 0.15 * torch.rand(3, SIZE, SIZE, generator=generator) + torch.rand(3, 1, 1, generator=generator) * 0.5
    y, x = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    boxes, kinds = [], []
    for _ in range(int(torch.randint(1, 4, (), generator=generator))):
        half, kind = uniform(8, 20), int(torch.randint(0, 3, (), generator=generator))
        cx, cy = uniform(half, SIZE - half), uniform(half, SIZE - half)
        box = torch.tensor([cx - half, cy - half, cx + half, cy + half])
        if boxes and iou(box[None], torch.stack(boxes)).max() > 0.1:
            continue
        dx, dy = (x - cx).abs(), y - cy
        inside = (dx**2 + dy**2 < half**2, (dx < half) & (dy.abs() < half), (dy.abs() < half) & (dx < (dy + half) / 2))[kind]
        image = torch.where(inside, 0.5 + 0.5 * torch.rand(3, 1, 1, generator=generator), image)
        boxes.append(box)
        kinds.append(kind)
    return image, torch.stack(boxes), torch.tensor(kinds)


def iou(a, b):
    """Of boxes [n, 4] and [m, 4]: [n, m]."""
    low, high = torch.maximum(a[:, None, :2], b[None, :, :2]), torch.minimum(a[:, None, 2:], b[None, :, 2:])
    inner = (high - low).clamp(min=0).prod(-1)
    area_a, area_b = ((box[:, 2:] - box[:, :2]).prod(-1) for box in (a, b))
    return inner / (area_a[:, None] + area_b[None] - inner)


def loss_of(raw, targets):
    """Cells near an object's center, of the level that fits its size, are its own: IoU loss, distribution focal loss; all cells: focal classes."""
    boxes, _ = decode(raw)
    logits, wanted = raw[:, 4 * BINS :].transpose(1, 2), torch.zeros(raw.shape[0], raw.shape[2], len(CLASSES))
    box_loss, count = raw.new_zeros(()), 1
    for i, (_, true, kinds) in enumerate(targets):
        for box, kind in zip(true, kinds, strict=True):
            stride = STRIDES[int((box[2] - box[0]) > 24)]
            own = ((CENTERS - (box[:2] + box[2:]) / 2).abs().amax(-1) < 1.5 * stride) & (CELLS == stride)
            wanted[i, own, kind] = 1
            box_loss = box_loss + (1 - iou(boxes[i, own], box[None])).sum()
            sides = torch.cat([CENTERS[own] - box[:2], box[2:] - CENTERS[own]], -1).div(stride).clamp(0, BINS - 1.01)
            bins = raw[i, : 4 * BINS, own].unflatten(0, (4, BINS)).permute(2, 0, 1).log_softmax(-1)
            low = sides.long()
            share = sides - low
            both = bins.gather(-1, torch.stack([low, low + 1], -1))
            box_loss = box_loss - 0.5 * (both[..., 0] * (1 - share) + both[..., 1] * share).sum() / 4
            count += int(own.sum())
    focal = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * (wanted - logits.sigmoid()).abs() ** 1.5
    return (focal.sum() + box_loss) / count


def suppressed(boxes, scores, most=20):
    """The best boxes that overlap no better one by half or more."""
    kept = []
    for place in scores.argsort(descending=True)[:100].tolist():
        if scores[place] < 0.05 or len(kept) == most:
            break
        if not kept or iou(boxes[place][None], boxes[kept]).max() < 0.5:
            kept.append(place)
    return kept


@torch.no_grad()
def mean_average_precision(model, pictures, threshold=0.5):
    """The area under the precision-recall curve at IoU 0.5, mean over the classes."""
    model.eval()
    found = {kind: [] for kind in range(len(CLASSES))}
    total = torch.zeros(len(CLASSES))
    for begin in range(0, len(pictures), 50):
        part = pictures[begin : begin + 50]
        boxes, scores = decode(model(torch.stack([image for image, _, _ in part])))
        for (_, true, kinds), its_boxes, its_scores in zip(part, boxes, scores, strict=True):
            total += torch.bincount(kinds, minlength=len(CLASSES))
            for kind in range(len(CLASSES)):
                free = true[kinds == kind]
                for place in suppressed(its_boxes, its_scores[:, kind]):
                    overlap = iou(its_boxes[place][None], free)[0] if len(free) else torch.zeros(1)
                    hit = bool(overlap.max() >= threshold)
                    if hit:
                        free = torch.cat([free[: overlap.argmax()], free[overlap.argmax() + 1 :]])
                    found[kind].append((float(its_scores[place, kind]), hit))
    areas = []
    for kind, hits in found.items():
        right = torch.tensor([hit for _, hit in sorted(hits, reverse=True)], dtype=torch.float).cumsum(0)
        precision = right / torch.arange(1, len(right) + 1)
        recall = right / total[kind].clamp(min=1)
        precision = precision.flip(0).cummax(0).values.flip(0) if len(precision) else precision
        areas.append(float((precision * torch.diff(recall, prepend=torch.zeros(1))).sum()))
    return sum(areas) / len(areas)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=400, help="of training, 16 images each")
    parser.add_argument("--keep", default="0.75,0.5", help="fractions of the channels of every group")
    parser.add_argument("--images", type=int, default=200, help="number of test images, and of calibration images without labels")
    options = parser.parse_args()
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    test = [picture(generator) for _ in range(options.images)]
    calibration = torch.stack([picture(generator)[0] for _ in range(options.images)]).split(32)

    model = Detector()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=options.steps)
    started = time.perf_counter()
    for step in range(options.steps):
        targets = [picture(generator) for _ in range(16)]
        loss = loss_of(model.train()(torch.stack([image for image, _, _ in targets])), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step}: loss {float(loss.detach()):.3f}, {time.perf_counter() - started:.0f} s", flush=True)
    example = torch.zeros(2, 3, SIZE, SIZE)
    analysis = inn.analyze(model.eval(), example)
    analysis.check()
    print(f"mean average precision {mean_average_precision(model, test):.3f}, {analysis.cost().macs / 1e6:.0f} M multiply-adds")
    for keep in (float(word) for word in options.keep.split(",")):
        for method in ("quadrature", "l1"):
            small = inn.resample(model, example, keep=keep, method=method, calibration=calibration).model
            macs = inn.analyze(small, example).cost().macs
            print(f"keep {keep}, {method}: {mean_average_precision(small, test):.3f}, {macs / 1e6:.0f} M", flush=True)


if __name__ == "__main__":
    main()
