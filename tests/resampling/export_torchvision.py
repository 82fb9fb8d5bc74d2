"""Exports torchvision's networks with random weights, as a user does.

    python export_torchvision.py FOLDER [NAME…]

Writes FOLDER/NAME.pt2, and FOLDER/small/NAME.pt2 for small configurations of its other architectures. Needs torchvision; its compiled extension is made for CUDA, so the operators that it would register
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


def small_networks(models):
    """By name: a function that makes a network of few channels and layers, and the sizes of its input."""
    def swin(block, merging):
        return models.swin_transformer.SwinTransformer(
            patch_size=[4, 4], embed_dim=16, depths=[2, 2], num_heads=[2, 4], window_size=[4, 4], num_classes=10, block=block,
            downsample_layer=merging)

    def swin3d():
        return models.video.SwinTransformer3d(
            patch_size=[2, 4, 4], embed_dim=16, depths=[2], num_heads=[2], window_size=[2, 4, 4], num_classes=10)

    def convnext():
        blocks = [models.convnext.CNBlockConfig(8, 16, 2), models.convnext.CNBlockConfig(16, None, 2)]
        return models.ConvNeXt(blocks, num_classes=10)

    def regnet():
        blocks = models.regnet.BlockParams.from_init_params(depth=4, w_0=8, w_a=8, w_m=2, group_width=4, se_ratio=0.25)
        return models.RegNet(blocks, num_classes=10, stem_width=8)

    def lraspp():
        return models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5)

    transformer = models.swin_transformer
    image = (2, 3, 32, 32)
    return {
        "vit": (lambda: models.VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=10), image),
        "swin": (lambda: swin(transformer.SwinTransformerBlock, transformer.PatchMerging), image),
        "swin_v2": (lambda: swin(transformer.SwinTransformerBlockV2, transformer.PatchMergingV2), image),
        "maxvit": (lambda: models.MaxVit((32, 32), 8, 2, [8, 16], [1, 1], 4, 0.0, num_classes=10), image),
        "convnext": (convnext, image),
        "shufflenet": (lambda: models.ShuffleNetV2([3, 4, 2], [8, 20, 28, 32, 40], num_classes=10), image),
        "regnet": (regnet, image),
        "mnasnet": (lambda: models.mnasnet0_5(num_classes=10), image),
        "lraspp": (lraspp, (2, 3, 33, 33)),
        "swin3d": (swin3d, (1, 3, 4, 32, 32)),
    }


def export_small(models, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, (make, sizes) in small_networks(models).items():
        path = folder / f"{name}.pt2"
        if path.exists():
            continue
        torch.manual_seed(0)
        program = torch.export.export(make().eval(), (torch.randn(sizes),), strict=False)
        partial = path.with_suffix(".partial.pt2")
        torch.export.save(program, partial)
        partial.rename(path)


def main(folder, names):
    models = torchvision_models()
    folder.mkdir(parents=True, exist_ok=True)
    export_small(models, folder / "small")
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
