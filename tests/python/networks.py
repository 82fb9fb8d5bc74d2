"""Small networks of the tests."""

import torch
from torch import nn


class Residual(nn.Module):
    """A convolutional network with batch norm, a residual sum and a depthwise convolution."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(8)
        self.conv1 = nn.Conv2d(8, 16, 3, padding=1)
        self.deep = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.conv2 = nn.Conv2d(16, 8, 1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = torch.relu(self.bn(self.stem(x)))
        x = x + self.conv2(torch.relu(self.deep(torch.relu(self.conv1(x)))))
        return self.head(x.mean((2, 3)))


class Fixed(nn.Module):
    """A network whose code holds the number of its channels."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 12)
        self.second = nn.Linear(12, 4)

    def forward(self, x):
        return self.second(self.first(x).view(-1, 12))


class Named(nn.Module):
    """Keyword inputs, a dict as output, a tied embedding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 8)
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
        self.norm = nn.LayerNorm(8)

    def forward(self, tokens, scale):
        x = self.embedding(tokens)
        x = self.norm(x + self.mlp(x)) * scale[:, None, None]
        return {"logits": x @ self.embedding.weight.t(), "hidden": x}


class Attention(nn.Module):
    """Attention whose code holds the number of its heads."""

    def __init__(self, width=16, heads=4):
        super().__init__()
        self.num_heads, self.head_dim = heads, width // heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        n, t, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4).unbind(0)
        x = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.proj(x.transpose(1, 2).reshape(n, t, -1))


def randomized(model: nn.Module, seed: int = 0) -> nn.Module:
    """Return the model in evaluation mode with random statistics of its norms too."""
    generator = torch.Generator().manual_seed(seed)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
            layer.running_mean.normal_(generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
            layer.weight.data.uniform_(0.5, 2, generator=generator)
            layer.bias.data.normal_(generator=generator)
    return model.eval()
