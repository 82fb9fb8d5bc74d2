"""Models of transformers and timm, tiny and with random weights."""

import pytest
import torch
import torch_integral as inn

TOKENS = (2, 7)
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
TRANSFORMERS = {
    "BertModel": ({**SMALL, "vocab_size": 99}, TOKENS),
    "BertForSequenceClassification": ({**SMALL, "vocab_size": 99}, TOKENS),
    "GPT2LMHeadModel": ({"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 99, "n_positions": 32,
                         "use_cache": False}, TOKENS),
    "LlamaForCausalLM": ({**SMALL, "vocab_size": 99, "num_key_value_heads": 2, "max_position_embeddings": 32,
                          "use_cache": False}, TOKENS),
    "ViTForImageClassification": ({**SMALL, "image_size": 32, "patch_size": 8}, (2, 3, 32, 32)),
    "SwinForImageClassification": ({"image_size": 32, "patch_size": 2, "embed_dim": 16, "depths": [1, 1],
                                    "num_heads": [2, 4], "window_size": 4}, (2, 3, 32, 32)),
    "ConvNextForImageClassification": ({"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]}, (2, 3, 64, 64)),
}
TIMM = {
    "VisionTransformer": ({"img_size": 32, "patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 4}, 32),
    "SwinTransformer": ({"img_size": 32, "patch_size": 2, "embed_dim": 16, "depths": (1, 1), "num_heads": (2, 4),
                         "window_size": 4}, 32),
    "ConvNeXt": ({"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32)}, 64),
}


def cut(model, x):
    """Analyze and halve a model, and return what came back, which must be of the model's own class."""
    inn.analyze(model, x).check()
    small = inn.resample(model, x, keep=0.5, method="l2", as_module=True)
    assert type(small.model) is type(model)
    assert sum(p.numel() for p in small.model.parameters()) < 0.9 * sum(p.numel() for p in model.parameters())
    return small


def input_of(sizes):
    return torch.randn(sizes) if len(sizes) == 4 else torch.randint(0, 99, sizes)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers(name, torchvision_models):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config, sizes = TRANSFORMERS[name]
    kind = getattr(transformers, name)
    model = kind(kind.config_class(**config)).eval()
    small = cut(model, input_of(sizes))
    small.model(input_of((3, *sizes[1:])))  # another batch


@pytest.mark.parametrize("name", TIMM)
def test_timm(name, torchvision_models):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    arguments, size = TIMM[name]
    small = cut(getattr(timm.models, name)(num_classes=10, **arguments).eval(), torch.randn(2, 3, size, size))
    assert small.model(torch.randn(3, 3, size, size)).shape == (3, 10)


def test_timm_by_its_names(torchvision_models):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    small = cut(timm.create_model("mobilenetv3_small_050", num_classes=10).eval(), torch.randn(2, 3, 32, 32))
    assert small.model(torch.randn(1, 3, 64, 64)).shape == (1, 10)
