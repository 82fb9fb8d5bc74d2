"""Exports torchvision's networks with random weights, as a user does.

    python export_torchvision.py FOLDER [NAME…]

Writes FOLDER/NAME.pt2. Needs torchvision; its compiled extension is made for CUDA, so the operators that it would register
are declared first, without an implementation: no network here calls them.
"""

import pathlib
import sys
import warnings

import torch

NAMES = ["resnet18", "vgg11_bn", "densenet121", "mobilenet_v2", "mobilenet_v3_small", "efficientnet_b0", "squeezenet1_1",
         "googlenet", "inception_v3", "alexnet"]
SIZES = {"inception_v3": 75, "alexnet": 63, "vgg11_bn": 32, "densenet121": 32}

OPERATORS = [
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, int sampling_ratio, "
    "bool aligned) -> Tensor",
    "roi_pool(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width) -> (Tensor, Tensor)",
    "ps_roi_align(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "int sampling_ratio) -> (Tensor, Tensor)",
    "ps_roi_pool(Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width) -> (Tensor, Tensor)",
    "deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, SymInt stride_h, SymInt stride_w, "
    "SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, SymInt groups, SymInt offset_groups, bool use_mask) "
    "-> Tensor",
    "_roi_align_backward(Tensor grad, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width, "
    "SymInt batch_size, SymInt channels, SymInt height, SymInt width, int sampling_ratio, bool aligned) -> Tensor",
    "_roi_pool_backward(Tensor grad, Tensor rois, Tensor argmax, float spatial_scale, SymInt pooled_height, "
    "SymInt pooled_width, SymInt batch_size, SymInt channels, SymInt height, SymInt width) -> Tensor",
    "_ps_roi_align_backward(Tensor grad, Tensor rois, Tensor channel_mapping, float spatial_scale, SymInt pooled_height, "
    "SymInt pooled_width, int sampling_ratio, SymInt batch_size, SymInt channels, SymInt height, SymInt width) -> Tensor",
    "_ps_roi_pool_backward(Tensor grad, Tensor rois, Tensor channel_mapping, float spatial_scale, SymInt pooled_height, "
    "SymInt pooled_width, SymInt batch_size, SymInt channels, SymInt height, SymInt width) -> Tensor",
    "_deform_conv2d_backward(Tensor grad, Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, "
    "SymInt stride_h, SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, SymInt dilation_w, SymInt groups, "
    "SymInt offset_groups, bool use_mask) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
]


def torchvision_models():
    library = torch.library.Library("torchvision", "DEF")
    for schema in OPERATORS:
        library.define(schema)
    warnings.filterwarnings("ignore")
    import torchvision  # noqa: PLC0415: only after the declarations

    torchvision_models.library = library  # declarations last as long as it does
    return torchvision.models


def main(folder, names):
    models = torchvision_models()
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / f"{name}.pt2"
        if path.exists():
            continue
        torch.manual_seed(0)
        options = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
        module = getattr(models, name)(weights=None, num_classes=10, **options).eval()
        size = SIZES.get(name, 64)
        program = torch.export.export(module, (torch.randn(2, 3, size, size),), strict=False)
        partial = path.with_suffix(".partial.pt2")
        torch.export.save(program, partial)
        partial.rename(path)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:] or NAMES)
