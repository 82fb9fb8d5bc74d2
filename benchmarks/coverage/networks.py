"""The networks that the coverage benchmark exports: torchvision's, and those of timm and transformers where they are installed."""

import pathlib
import sys

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "resampling"))
from export_torchvision import torchvision_models  # noqa: E402

# Small images keep the runs short; what a network needs of them is in these exceptions.
IMAGE = 64
IMAGE_SIZES = {"inception_v3": 96, "maxvit_t": 224, "alexnet": 63, "googlenet": 64}
BATCH = 2


class Pyramid(torch.nn.Module):
    """Backbone, feature pyramid and heads of a detection model, whose boxes are what export can't read."""

    def __init__(self, model):
        super().__init__()
        self.backbone = model.backbone
        if hasattr(model, "rpn"):
            self.rpn_head = model.rpn.head
        for name in ("head", "roi_heads"):
            if hasattr(model, name):
                setattr(self, name, getattr(model, name))

    def forward(self, images):
        features = self.backbone(images)
        maps = list(features.values()) if isinstance(features, dict) else [features]
        if hasattr(self, "rpn_head"):
            outputs = list(self.rpn_head(maps))
            # Box heads see pooled regions of the pyramid, here one of 7 by 7 from its first level.
            regions = torch.nn.functional.adaptive_avg_pool2d(maps[0], 7)
            boxes = self.roi_heads.box_head(regions)
            outputs += list(self.roi_heads.box_predictor(boxes))
            for kind in ("mask", "keypoint"):
                head = getattr(self.roi_heads, f"{kind}_head", None)
                if head is not None:
                    outputs.append(getattr(self.roi_heads, f"{kind}_predictor")(head(regions)))
            return outputs
        return self.head(maps)


def torchvision_networks():
    """Yields (family, name, function that makes the module and its inputs)."""
    models = torchvision_models()

    def listed(module):
        return models.list_models(module=module)

    def classifier(name):
        options = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
        size = IMAGE_SIZES.get(name, IMAGE)
        if name.startswith("vit_"):
            options["image_size"] = size = 32 if "14" not in name else 28
        return models.get_model(name, weights=None, **options), (torch.randn(BATCH, 3, size, size),)

    def segmenter(name):
        return models.get_model(name, weights=None, weights_backbone=None), (torch.randn(BATCH, 3, 65, 65),)

    def video(name):
        frames, size = (16, 224) if name.startswith("mvit") else (16, 224) if name == "s3d" else (8, 64)
        return models.get_model(name, weights=None), (torch.randn(BATCH, 3, frames, size, size),)

    def flow(name):
        images = [torch.rand(BATCH, 3, 128, 128) for _ in range(2)]
        return models.get_model(name, weights=None), (*images, 2)

    def detector(name):
        model = models.get_model(name, weights=None, weights_backbone=None)
        return Pyramid(model), (torch.randn(BATCH, 3, 300 if name == "ssd300_vgg16" else 64, 300 if name == "ssd300_vgg16" else 64),)

    for name in listed(models):
        yield "classification", name, lambda name=name: classifier(name)
    for name in listed(models.segmentation):
        yield "segmentation", name, lambda name=name: segmenter(name)
    for name in listed(models.video):
        yield "video", name, lambda name=name: video(name)
    for name in listed(models.optical_flow):
        yield "optical flow", name, lambda name=name: flow(name)
    for name in listed(models.detection):
        yield "detection", name, lambda name=name: detector(name)


# Of each family of timm the smallest of the few models whose names promise to be small.
SMALL_NAMES = ["test_", "atto", "femto", "pico", "nano", "xxs", "xs", "tiny", "_t", "mini", "_s", "small", "18", "b0", "m0", "050"]
# Images that fit strides and windows where the network itself does not say a fixed size.
TIMM_SIZES = {"maxxvit": 256, "davit": 224, "gcvit": 224, "hieradet_sam2": 256, "halonet": 256, "byoanet": 256, "edgenext": 256,
              "fastvit": 256, "mobilevit": 256, "naflexvit": 384, "focalnet": 224, "inception_resnet_v2": 150, "inception_v3": 150,
              "inception_v4": 150, "nasnet": 150, "pnasnet": 150, "xception": 150, "xception_aligned": 150, "tiny_vit": 224}


def timm_networks():
    """Yields one network of each family of timm, where it is installed."""
    try:
        import timm  # noqa: PLC0415: optional
        from timm.models._registry import _module_to_models as families  # noqa: PLC0415
    except ImportError:
        return

    def rank(name):
        return (next((k for k, part in enumerate(SMALL_NAMES) if part in name), len(SMALL_NAMES)), len(name))

    def smallest(names):
        found = []
        for name in sorted(names, key=rank):
            if len(found) == 4:
                break
            try:
                with torch.device("meta"):
                    module = timm.create_model(name, pretrained=False)
                found.append((sum(p.numel() for p in module.parameters()), name))
            except Exception:  # noqa: BLE001: some can't be made without a download
                continue
        return min(found)[1] if found else min(names, key=rank)  # some can't be made without memory

    def make(family, names):
        name = smallest(names)
        module = timm.create_model(name, pretrained=False)
        config = module.default_cfg
        size = config["input_size"][-1]
        if not config.get("fixed_input_size", False):
            size = TIMM_SIZES.get(family, min(size, 96))
        return module, (torch.randn(BATCH, 3, size, size),)

    for family, names in sorted(families.items()):
        yield "timm", f"timm_{family}", lambda family=family, names=names: make(family, names)


def transformers_networks():
    """Yields small configurations of transformers' architectures, where it is installed."""
    try:
        import transformers  # noqa: PLC0415: optional
    except ImportError:
        return
    text = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "vocab_size": 99,
            "max_position_embeddings": 64, "attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": 0.0}
    decoder = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64,
               "vocab_size": 99, "max_position_embeddings": 64, "use_cache": False, "pad_token_id": 0}
    image = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "image_size": 32,
             "patch_size": 8}
    gpt = {"n_embd": 48, "n_layer": 2, "n_head": 4, "n_positions": 64, "vocab_size": 99, "use_cache": False}
    t5 = {"d_model": 48, "d_kv": 12, "d_ff": 64, "num_layers": 2, "num_decoder_layers": 2, "num_heads": 4, "vocab_size": 99,
          "use_cache": False, "decoder_start_token_id": 0}
    bart = {"d_model": 48, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
            "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "vocab_size": 99, "max_position_embeddings": 64, "use_cache": False}
    tokens, pixels = "tokens", "pixels"
    table = {
        **{name: (text, tokens) for name in ("Bert", "Roberta", "Electra", "Camembert", "XLMRoberta", "MPNet", "Ernie", "LayoutLM",
                                              "MegatronBert", "RemBert", "MobileBert", "Nystromformer", "ConvBert",
                                              "RoFormer", "Albert", "DebertaV2")},
        **{name: (decoder, tokens) for name in ("Llama", "Mistral", "Qwen2", "Qwen3", "Gemma", "Gemma2", "Phi3", "Olmo", "Olmo2",
                                                 "Granite", "Starcoder2", "Cohere", "Glm", "Mixtral")},
        "SqueezeBert": ({**text, "embedding_size": 48}, tokens),
        "Helium": ({**decoder, "head_dim": 12}, tokens),
        **{name: (gpt, tokens) for name in ("GPT2", "GPTBigCode")},
        "DistilBert": ({"dim": 48, "n_layers": 2, "n_heads": 4, "hidden_dim": 64, "vocab_size": 99}, tokens),
        "OPT": ({**decoder, "ffn_dim": 64, "word_embed_proj_dim": 48}, tokens),
        "GPTNeoX": (decoder, tokens),
        "Bloom": ({"hidden_size": 48, "n_layer": 2, "n_head": 4, "vocab_size": 99, "use_cache": False}, tokens),
        "Falcon": ({"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 99, "use_cache": False}, tokens),
        "Phi": (decoder, tokens),
        "Persimmon": (decoder, tokens),
        "StableLm": ({**decoder, "partial_rotary_factor": 0.5}, tokens),
        "Mamba": ({"hidden_size": 32, "num_hidden_layers": 2, "state_size": 4, "vocab_size": 99, "use_cache": False}, tokens),
        "FNet": (text, tokens),
        "T5Encoder": (t5, tokens),
        "BartEncoder": (bart, tokens),
        **{name: (image, pixels) for name in ("ViT", "DeiT", "Beit", "Dinov2", "ViTMSN", "ViTMAE", "IJepa", "Dinov2WithRegisters")},
        "Yolos": ({**image, "image_size": [32, 32]}, pixels),
        "CLIPVision": (image, pixels), "SiglipVision": (image, pixels),
        "Swin": ({"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "image_size": 32, "patch_size": 4, "window_size": 4}, pixels),
        "Swinv2": ({"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4], "image_size": 32, "patch_size": 4, "window_size": 4}, pixels),
        "ConvNext": ({"hidden_sizes": [16, 24, 32, 40], "depths": [1, 1, 1, 1], "image_size": 64}, pixels),
        "ConvNextV2": ({"hidden_sizes": [16, 24, 32, 40], "depths": [1, 1, 1, 1], "image_size": 64}, pixels),
        "Segformer": ({"hidden_sizes": [16, 16, 32, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 2]}, pixels),
        "Pvt": ({"hidden_sizes": [16, 32, 40, 48], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 2], "image_size": 64}, pixels),
        "PoolFormer": ({"hidden_sizes": [16, 24, 32, 40], "depths": [1, 1, 1, 1]}, pixels),
        "ResNet": ({"embedding_size": 16, "hidden_sizes": [16, 24, 32, 40], "depths": [1, 1, 1, 1]}, pixels),
        "MobileViT": ({"image_size": 64, "hidden_sizes": [16, 24, 32], "neck_hidden_sizes": [8, 8, 16, 24, 32, 40, 48]}, pixels),
        "LevitModel": ({"image_size": 64, "hidden_sizes": [16, 24, 32], "num_attention_heads": [2, 3, 4], "key_dim": [8, 8, 8]}, pixels),
    }

    def make(name, config, kind):
        def of(suffix):
            return getattr(transformers, name.removesuffix("Model") + suffix)

        if name == "T5Encoder":
            module = transformers.T5EncoderModel(transformers.T5Config(**config))
        elif name == "BartEncoder":
            module = transformers.BartModel(transformers.BartConfig(**config)).encoder
        elif name in ("CLIPVision", "SiglipVision"):
            module = of("Model")(of("Config")(**config))
        else:
            module = of("Model")(of("Config")(**config))
        mask_without_vmap(module)
        size = config.get("image_size", 64)
        size = size[0] if isinstance(size, list) else size
        if kind == pixels:
            return Outputs(module, "pixel_values"), (torch.randn(BATCH, 3, size, size),)
        return Outputs(module, "input_ids"), (torch.randint(1, 50, (BATCH, 16)),)

    for name, (config, kind) in table.items():
        yield "transformers", f"transformers_{name}", lambda name=name, config=config, kind=kind: make(name, config, kind)


def mask_without_vmap(module):
    """Lets transformers make its masks by broadcasting: torch.export can read its vmap, but not save it."""
    from transformers.integrations.executorch import sdpa_mask_without_vmap  # noqa: PLC0415: optional
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS  # noqa: PLC0415
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS  # noqa: PLC0415

    name = "sdpa_without_vmap"
    ALL_MASK_ATTENTION_FUNCTIONS.register(name, sdpa_mask_without_vmap)
    ALL_ATTENTION_FUNCTIONS.register(name, ALL_ATTENTION_FUNCTIONS["sdpa"])
    makes_masks = hasattr(sys.modules[type(module).__module__], "create_causal_mask")
    if makes_masks and getattr(module.config, "_attn_implementation", None) == "sdpa":
        module.config._attn_implementation = name


class Outputs(torch.nn.Module):
    """The tensors that a model of transformers gives for one input."""

    def __init__(self, model, argument):
        super().__init__()
        self.model, self.argument = model, argument

    def forward(self, given):
        outputs = self.model(**{self.argument: given}, return_dict=False)
        return [leaf for leaf in torch.utils._pytree.tree_leaves(outputs) if isinstance(leaf, torch.Tensor)]


def all_networks():
    yield from torchvision_networks()
    yield from timm_networks()
    yield from transformers_networks()
