"""Exports small networks of the kinds that people bring: attention, recurrence, decoders, windows, scans.

    python export_modules.py FOLDER [NAME…]

Writes FOLDER/NAME.pt2, with random weights.
"""

import math
import pathlib
import sys

import torch
from torch import nn
from torch.export import Dim
from torch.nn import functional as F

BATCH, TOKENS, WIDTH = 2, 6, 16


class SelfAttention(nn.Module):
    """nn.MultiheadAttention, then a layer that reads it."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(5, WIDTH)
        self.attention = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.head = nn.Linear(WIDTH, 3)

    def forward(self, x):
        x = self.embed(x)
        return self.head(x + self.attention(x, x, x, need_weights=False)[0])


class CrossAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.query, self.memory = nn.Linear(5, WIDTH), nn.Linear(5, 12)
        self.attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True, kdim=12, vdim=12)
        self.head = nn.Linear(WIDTH, 3)

    def forward(self, x):
        memory = self.memory(x.flip(1))
        return self.head(self.attention(self.query(x), memory, memory)[0])


class Transformer(nn.Module):
    """Encoder and decoder layers as torch has them."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(5, WIDTH)
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(WIDTH, 4, 24, batch_first=True), 2, enable_nested_tensor=False)
        self.decoder = nn.TransformerDecoderLayer(WIDTH, 2, 20, batch_first=True, norm_first=True, activation="gelu")
        self.head = nn.Linear(WIDTH, 3)

    def forward(self, x):
        x = self.embed(x)
        return self.head(self.decoder(x, self.encoder(x)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(5, 8, num_layers=2, bidirectional=True, batch_first=True, proj_size=6)
        self.gru = nn.GRU(12, 7, num_layers=2, batch_first=True)
        self.rnn = nn.RNN(7, 9, bidirectional=True, batch_first=True)
        self.cell = nn.LSTMCell(18, 10)
        self.head = nn.Linear(10, 3)

    def forward(self, x):
        x = self.rnn(self.gru(self.lstm(x)[0])[0])[0]
        return self.head(self.cell(x[:, -1])[0])


class SuperResolution(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.middle = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.up, self.slope = nn.Conv2d(8, 12 * 4, 3, padding=1), nn.PReLU(12)
        self.last = nn.Conv2d(12, 3, 3, padding=1)

    def forward(self, x):
        y = F.relu(self.first(x))
        y = y + self.middle(y)
        return self.last(self.slope(F.pixel_shuffle(self.up(y), 2)))


class Detector(nn.Module):
    """Cut in halves, some of which pass through blocks, and put together again, as YOLO's stages are."""

    def __init__(self):
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.block1, self.block2 = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.join, self.pool = nn.Conv2d(32, 12, 1), nn.MaxPool2d(5, 1, 2)
        self.spread, self.boxes, self.classes = nn.Conv2d(24, 16, 1), nn.Conv2d(16, 4, 1), nn.Conv2d(16, 5, 1)

    def forward(self, x):
        parts = list(F.silu(self.norm(self.stem(x))).chunk(2, 1))
        for block in (self.block1, self.block2):
            parts.append(parts[-1] + block(parts[-1]))
        y = self.join(torch.cat(parts, 1))
        y = self.spread(torch.cat([y, self.pool(y)], 1))
        return torch.cat([self.boxes(y), self.classes(y).sigmoid()], 1).flatten(2)


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))


class LlamaBlock(nn.Module):
    """Grouped queries, rotary positions, gated perceptron."""

    def __init__(self, width, heads, shared, depth, hidden):
        super().__init__()
        self.heads, self.shared, self.depth = heads, shared, depth
        self.norm1, self.norm2 = RMSNorm(width), RMSNorm(width)
        self.q_proj, self.o_proj = nn.Linear(width, heads * depth, bias=False), nn.Linear(heads * depth, width, bias=False)
        self.k_proj, self.v_proj = (nn.Linear(width, shared * depth, bias=False) for _ in range(2))
        self.gate_proj, self.up_proj = (nn.Linear(width, hidden, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(hidden, width, bias=False)

    @staticmethod
    def rotate(x, cosine, sine):
        half = x.shape[-1] // 2
        return x * cosine + torch.cat([-x[..., half:], x[..., :half]], -1) * sine

    def forward(self, x, cosine, sine):
        n, t, _ = x.shape
        y = self.norm1(x)
        q = self.rotate(self.q_proj(y).view(n, t, self.heads, self.depth).transpose(1, 2), cosine, sine)
        k = self.rotate(self.k_proj(y).view(n, t, self.shared, self.depth).transpose(1, 2), cosine, sine)
        v = self.v_proj(y).view(n, t, self.shared, self.depth).transpose(1, 2)
        k, v = (s[:, :, None].expand(n, self.shared, self.heads // self.shared, t, self.depth).reshape(n, self.heads, t, self.depth)
                for s in (k, v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o_proj(y.transpose(1, 2).reshape(n, t, -1))
        y = self.norm2(x)
        return x + self.down_proj(F.silu(self.gate_proj(y)) * self.up_proj(y))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(20, WIDTH)
        self.layers = nn.ModuleList(LlamaBlock(WIDTH, 4, 2, 6, 24) for _ in range(2))
        self.norm = RMSNorm(WIDTH)
        self.lm_head = nn.Linear(WIDTH, 20, bias=False)
        self.lm_head.weight = self.embed_tokens.weight
        self.register_buffer("frequencies", 1.0 / (100 ** (torch.arange(3) / 3)), persistent=False)

    def forward(self, tokens):
        angles = torch.outer(torch.arange(tokens.shape[1]).float(), self.frequencies)
        angles = torch.cat([angles, angles], -1)
        x = self.embed_tokens(tokens)
        for layer in self.layers:
            x = layer(x, angles.cos(), angles.sin())
        return self.lm_head(self.norm(x))


class Conv1D(nn.Module):
    """GPT-2's linear layer, whose weight is [in, out]."""

    def __init__(self, width_in, width_out):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(width_in, width_out) * 0.1), nn.Parameter(torch.zeros(width_out))

    def forward(self, x):
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(*x.shape[:-1], -1)


class Gpt2(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(20, WIDTH), nn.Embedding(8, WIDTH)
        self.ln_1, self.ln_2, self.ln_f = (nn.LayerNorm(WIDTH) for _ in range(3))
        self.c_attn, self.c_proj = Conv1D(WIDTH, 3 * WIDTH), Conv1D(WIDTH, WIDTH)
        self.c_fc, self.c_out = Conv1D(WIDTH, 28), Conv1D(28, WIDTH)
        self.register_buffer("bias", torch.tril(torch.ones(8, 8, dtype=torch.bool)).view(1, 1, 8, 8))

    def forward(self, tokens):
        n, t = tokens.shape
        x = self.wte(tokens) + self.wpe(torch.arange(t))
        q, k, v = (s.view(n, t, 4, WIDTH // 4).permute(0, 2, 1, 3) for s in self.c_attn(self.ln_1(x)).split(WIDTH, dim=2))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(WIDTH // 4)
        scores = torch.where(self.bias[:, :, :t, :t], scores, torch.full([], -1e9))
        y = torch.matmul(scores.softmax(-1), v).permute(0, 2, 1, 3).contiguous().view(n, t, WIDTH)
        x = x + self.c_proj(y)
        x = x + self.c_out(F.gelu(self.c_fc(self.ln_2(x)), approximate="tanh"))
        return F.linear(self.ln_f(x), self.wte.weight)


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places, self.kinds = nn.Embedding(20, WIDTH), nn.Embedding(8, WIDTH), nn.Embedding(2, WIDTH)
        self.norm, self.norm1, self.norm2 = (nn.LayerNorm(WIDTH) for _ in range(3))
        self.query, self.key, self.value = (nn.Linear(WIDTH, 12) for _ in range(3))
        self.dense, self.up, self.down = nn.Linear(12, WIDTH), nn.Linear(WIDTH, 24), nn.Linear(24, WIDTH)
        self.pooler, self.head = nn.Linear(WIDTH, 10), nn.Linear(10, 3)
        self.register_buffer("position_ids", torch.arange(8)[None])

    def forward(self, tokens, mask):
        n, t = tokens.shape
        x = self.words(tokens) + self.places(self.position_ids[:, :t]) + self.kinds(torch.zeros_like(tokens))
        x = self.norm(x)
        q, k, v = (layer(x).view(n, t, 3, 4).transpose(1, 2) for layer in (self.query, self.key, self.value))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :] > 0)
        x = self.norm1(x + self.dense(y.transpose(1, 2).reshape(n, t, 12)))
        x = self.norm2(x + self.down(F.gelu(self.up(x))))
        return self.head(torch.tanh(self.pooler(x[:, 0])))


class Mamba(nn.Module):
    """A selective scan, step by step."""

    def __init__(self):
        super().__init__()
        self.norm, self.in_proj = nn.LayerNorm(WIDTH), nn.Linear(5, WIDTH)
        self.split = nn.Linear(WIDTH, 2 * 12)
        self.conv1d = nn.Conv1d(12, 12, 3, groups=12, padding=2)
        self.x_proj, self.dt_proj = nn.Linear(12, 4 + 2 * 5), nn.Linear(4, 12)
        self.A_log, self.D = nn.Parameter(torch.rand(12, 5)), nn.Parameter(torch.ones(12))
        self.out_proj, self.head = nn.Linear(12, WIDTH), nn.Linear(WIDTH, 3)

    def forward(self, x):
        x = self.in_proj(x)
        h, gate = self.split(self.norm(x)).chunk(2, -1)
        t = h.shape[1]
        h = F.silu(self.conv1d(h.transpose(1, 2))[..., :t]).transpose(1, 2)
        step, b, c = self.x_proj(h).split([4, 5, 5], -1)
        step = F.softplus(self.dt_proj(step))
        decay = torch.exp(step[..., None] * -torch.exp(self.A_log))
        driven = (step * h)[..., None] * b[:, :, None, :]
        state, outputs = torch.zeros_like(driven[:, 0]), []
        for i in range(t):
            state = decay[:, i] * state + driven[:, i]
            outputs.append((state * c[:, i, None, :]).sum(-1))
        y = torch.stack(outputs, 1) + h * self.D
        return self.head(x + self.out_proj(y * F.silu(gate)))


class Windows(nn.Module):
    """A block of Swin with shifted windows, a mask that is written in place, and a table of relative positions."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Conv2d(3, WIDTH, 2, 2), nn.LayerNorm(WIDTH)
        self.qkv, self.proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.table = nn.Parameter(torch.randn(9, 4))
        places = torch.stack(torch.meshgrid(torch.arange(2), torch.arange(2), indexing="ij")).flatten(1)
        offsets = (places[:, :, None] - places[:, None, :] + 1).permute(1, 2, 0)
        self.register_buffer("index", offsets[..., 0] * 3 + offsets[..., 1])
        self.head = nn.Linear(WIDTH, 3)

    def forward(self, image):
        x = self.embed(image).permute(0, 2, 3, 1)
        n, h, w, c = x.shape
        y = torch.roll(self.norm(x), (-1, -1), (1, 2))
        y = y.view(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, c)
        qkv = self.qkv(y).reshape(y.shape[0], 4, 3, 4, c // 4).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0] * (c // 4) ** -0.5, qkv[1], qkv[2]
        scores = q @ k.transpose(-2, -1) + self.table[self.index.view(-1)].view(4, 4, 4).permute(2, 0, 1)[None]
        mask = x.new_zeros((h, w))
        for i, rows in enumerate((slice(0, -2), slice(-2, -1), slice(-1, None))):
            for j, columns in enumerate((slice(0, -2), slice(-2, -1), slice(-1, None))):
                mask[rows, columns] = 3 * i + j
        mask = mask.view(h // 2, 2, w // 2, 2).permute(0, 2, 1, 3).reshape(-1, 4)
        mask = (mask[:, None] - mask[:, :, None]).masked_fill((mask[:, None] - mask[:, :, None]) != 0, -100.0)
        scores = scores.view(n, -1, 4, 4, 4) + mask[None, :, None]
        y = scores.view(-1, 4, 4, 4).softmax(-1) @ v
        y = self.proj(y.transpose(1, 2).reshape(-1, 4, c))
        y = y.view(n, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)
        return self.head((x + torch.roll(y, (1, 1), (1, 2))).mean((1, 2)))


class ShuffleNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.branch = nn.Conv2d(3, 12, 3, padding=1), nn.Sequential(
            nn.Conv2d(6, 6, 1), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 6, 3, padding=1, groups=6), nn.Conv2d(6, 6, 1))
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        x = F.relu(self.stem(x))
        for _ in range(2):
            a, b = x.chunk(2, 1)
            x = torch.cat([a, self.branch(b)], 1)
            n, c, h, w = x.shape
            x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        return self.head(x.mean((2, 3)))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.deep = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 12, 3, padding=1)
        self.up, self.join = nn.ConvTranspose2d(12, 6, 2, 2), nn.Conv2d(14, 8, 3, padding=1)
        self.norm, self.head = nn.GroupNorm(2, 8), nn.Conv2d(8, 2, 1)

    def forward(self, x):
        a = F.relu(self.down(x))
        b = F.relu(self.deep(F.max_pool2d(a, 2)))
        return self.head(F.relu(self.norm(self.join(torch.cat([self.up(b), a], 1)))))


class Mixer(nn.Module):
    """Layers along tokens and along channels."""

    def __init__(self):
        super().__init__()
        self.embed, self.norm = nn.Conv2d(3, WIDTH, 4, 4), nn.LayerNorm(WIDTH)
        self.tokens1, self.tokens2 = nn.Linear(4, 7), nn.Linear(7, 4)
        self.up, self.down, self.head = nn.Linear(WIDTH, 20), nn.Linear(20, WIDTH), nn.Linear(WIDTH, 3)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = x + self.tokens2(F.gelu(self.tokens1(self.norm(x).transpose(1, 2)))).transpose(1, 2)
        return self.head((x + self.down(F.gelu(self.up(x)))).mean(1))


class Standardized(nn.Module):
    """Weights that are normalized before they are used, and one that is shared."""

    def __init__(self):
        super().__init__()
        self.normed = torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 8, 3, padding=1))
        self.standard, self.gain = nn.Conv2d(8, 8, 3, padding=1), nn.Parameter(torch.ones(8, 1, 1, 1))
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = F.relu(self.normed(x))
        weight = F.batch_norm(self.standard.weight.reshape(1, 8, -1), None, None, training=True).reshape_as(self.standard.weight)
        for _ in range(2):
            x = x + F.relu(F.conv2d(x, weight * self.gain, self.standard.bias, padding=1))
        return self.head(x.mean((2, 3)))


class ChannelAttention(nn.Module):
    """Attention between channels, each normalized over the tokens: a softmax over channels, then a sum over them."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.head = nn.Linear(5, 8), nn.Linear(5, 8), nn.Linear(5, 8), nn.Linear(8, 3)

    def forward(self, x):
        q, k, v = (layer(x).transpose(1, 2) for layer in (self.query, self.key, self.value))
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(1, 2)
        return self.head((scores.softmax(-1) @ v).transpose(1, 2))


class Kernels(nn.Module):
    """A mixture of kernels, chosen by the input: dynamic convolution."""

    def __init__(self):
        super().__init__()
        self.choice, self.kernels = nn.Linear(5, 4), nn.Parameter(torch.randn(4, 5 * 3))

    def forward(self, x):
        weights = self.choice(x.mean(1)).softmax(-1)
        return torch.bmm(x, torch.mm(weights, self.kernels).view(-1, 5, 3))


class Moments(nn.Module):
    """Second moments of channels, read by a layer."""

    def __init__(self):
        super().__init__()
        self.features, self.head = nn.Linear(5, 6), nn.Linear(36, 3)

    def forward(self, x):
        y = self.features(x)
        return self.head((y.transpose(1, 2) @ y).flatten(1))


class TiedEmbedding(nn.Module):
    """A table that is looked up, and that the head sums over; nothing between them is the head's alone."""

    def __init__(self):
        super().__init__()
        self.table, self.up, self.down, self.norm = nn.Embedding(20, 8), nn.Linear(8, 12), nn.Linear(12, 8), nn.RMSNorm(8)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.table.weight

    def forward(self, tokens):
        x = self.table(tokens)
        return self.head(x + self.down(F.silu(self.up(self.norm(x)))))


class TiedAutoencoder(nn.Module):
    """One kernel that encodes and decodes."""

    def __init__(self):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(8, 3, 3, 3) * 0.2), nn.Parameter(torch.randn(8) * 0.2)

    def forward(self, x):
        return F.conv_transpose2d(torch.tanh(F.conv2d(x, self.weight, self.bias, padding=1)), self.weight, padding=1)


class Normed(nn.Module):
    """Weight norm and spectral norm along channels that others produce, and a cosine classifier."""

    def __init__(self):
        super().__init__()
        from torch.nn.utils.parametrizations import spectral_norm, weight_norm

        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.weight_normed = weight_norm(nn.Conv2d(8, 10, 3, padding=1))
        self.spectral_normed = spectral_norm(nn.Conv2d(10, 6, 3, padding=1))
        self.last = weight_norm(nn.Linear(6, 9))
        self.classes = nn.Parameter(torch.randn(4, 9))

    def forward(self, x):
        x = torch.tanh(self.weight_normed(torch.tanh(self.first(x))))
        x = torch.tanh(self.last(torch.tanh(self.spectral_normed(x)).mean((2, 3))))
        return F.linear(F.normalize(x, dim=-1), F.normalize(self.classes, dim=-1))


class SpaceTime(nn.Module):
    """Scores that sum over channels and times at once."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.head = nn.Linear(5, 4), nn.Linear(5, 4), nn.Linear(5, 7), nn.Linear(7, 3)

    def forward(self, x):
        n, t, _ = x.shape
        x = torch.stack([x, x.sin()], 1)
        q, k, v = (layer(x).permute(0, 1, 3, 2).flatten(2) for layer in (self.query, self.key, self.value))
        y = (q @ k.transpose(1, 2)).softmax(-1) @ v
        return self.head(y.view(n, 2, 7, t).transpose(2, 3))


class Swap(nn.Module):
    """Two windows of two tokens each: a size that torch.export writes as 2*n of memory [n, 2]."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 8), nn.Linear(8, 3)

    def forward(self, x):
        n = x.shape[0]
        y = self.a(x).view(2 * n, 2, 8)
        return self.b((y - y.mean(1, keepdim=True)).view(n, 4, 8))


class TwoOrders(nn.Module):
    """One size in two orders, [n, 2] and [2, n], added: n and 2 are not one, though equal in the example."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(5, 8), nn.Linear(5, 8), nn.Linear(8, 3)

    def forward(self, x):
        n, t, _ = x.shape
        return self.c((self.a(x).reshape(t * n, 8) + self.b(x).transpose(0, 1).reshape(t * n, 8)).view(n, t, 8))


class FoldedHeads(nn.Module):
    """Heads folded into the batch, as older attention code has them."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v, self.o = nn.Linear(5, 12), nn.Linear(5, 12), nn.Linear(5, 12), nn.Linear(12, 4)

    def forward(self, x):
        n, t, _ = x.shape
        q, k, v = (f(x).view(n, t, 3, -1).transpose(1, 2).reshape(n * 3, t, -1) for f in (self.q, self.k, self.v))
        y = torch.baddbmm(torch.zeros(n * 3, t, t), q, k.transpose(1, 2)).softmax(-1) @ v
        return self.o(y.view(n, 3, t, -1).transpose(1, 2).reshape(n, t, -1))


class WindowAttention(nn.Module):
    """Swin's: windows by view(-1, …), and their number read from the shape."""

    def __init__(self):
        super().__init__()
        self.i, self.qkv, self.p, self.o = nn.Linear(5, 8), nn.Linear(8, 18), nn.Linear(6, 8), nn.Linear(8, 4)

    def attention(self, x):
        n, t, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, 2, -1).permute(2, 0, 3, 1, 4).unbind(0)
        return self.p(((q @ k.transpose(-2, -1)).softmax(-1) @ v).transpose(1, 2).reshape(n, t, -1))

    def forward(self, x):
        x = self.i(x)
        y = x.view(-1, 2, 3, 2, 3, 8).transpose(2, 3).reshape(-1, 9, 8)
        y = self.attention(y).view(-1, 2, 2, 3, 3, 8).transpose(2, 3).reshape(-1, 6, 6, 8)
        return self.o(x + y)


class WindowHeads(nn.Module):
    """Windows and heads folded into the batch: a size of three factors."""

    def __init__(self):
        super().__init__()
        self.q, self.o = nn.Linear(5, 12), nn.Linear(12, 4)

    def forward(self, x):
        n, c = x.shape[0], x.shape[3]
        y = x.view(n, 3, 2, 3, 2, c).transpose(2, 3).reshape(n * 9, 4, c)
        q = self.q(y).view(n * 9, 4, 3, -1).transpose(1, 2).reshape(n * 9 * 3, 4, -1)
        y = torch.bmm(q, q.transpose(1, 2)).softmax(-1) @ q
        y = self.o(y.view(n * 9, 3, 4, -1).transpose(1, 2).reshape(n * 9, 4, -1))
        return y.view(n, 3, 3, 2, 2, -1).transpose(2, 3).reshape(n, 6, 6, -1)


class Prompt(nn.Module):
    """Learned tokens before the others: a size t + 3 whose 3 is a width."""

    def __init__(self):
        super().__init__()
        self.i, self.p, self.q, self.o = nn.Linear(5, 8), nn.Parameter(torch.randn(1, 3, 8)), nn.Linear(8, 8), nn.Linear(8, 4)

    def forward(self, x):
        n, t, _ = x.shape
        y = torch.cat([self.p.expand(n, -1, -1), self.i(x)], 1)
        q = self.q(y).view(n, t + 3, 2, -1).transpose(1, 2)
        y = (q @ q.transpose(-2, -1)).softmax(-1) @ q
        return self.o(y.transpose(1, 2).reshape(n, t + 3, -1)).mean(1)


class ImageTokens(nn.Module):
    """Tokens of an image of any size and back, rows or columns first."""

    def __init__(self, columns_first):
        super().__init__()
        self.columns_first = columns_first
        self.a, self.l, self.b = nn.Conv2d(3, 8, 1), nn.Linear(8, 8), nn.Conv2d(8, 2, 1)

    def forward(self, x):
        y = self.a(x)
        n, c, h, w = y.shape
        if self.columns_first:
            t = y.permute(0, 3, 2, 1).reshape(n, w * h, c)
            return self.b((t + self.l(t)).view(n, w, h, c).permute(0, 3, 2, 1))
        t = y.flatten(2).transpose(1, 2)
        return self.b((t + self.l(t).view(n, h * w, c)).transpose(1, 2).view(n, c, h, w))


class ImageRows(nn.Module):
    """Rows of an image of any height folded into the batch."""

    def __init__(self):
        super().__init__()
        self.a, self.l, self.b = nn.Conv2d(3, 8, 1), nn.Linear(8, 6), nn.Conv2d(6, 2, 1)

    def forward(self, x):
        y = self.a(x)
        n, c, h, w = y.shape
        y = self.l(y.permute(0, 2, 3, 1).reshape(n * h, w, c)).cumsum(1)
        return self.b(y.view(n, h, w, -1).permute(0, 3, 1, 2))


class ImageWindows(nn.Module):
    """Windows of 2 of an image of any even size."""

    def __init__(self):
        super().__init__()
        self.a, self.l, self.b = nn.Conv2d(3, 8, 1), nn.Linear(8, 8), nn.Conv2d(8, 2, 1)

    def forward(self, x):
        y = self.a(x)
        n, c, h, w = y.shape
        y = y.view(n, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(-1, 4, c)
        y = y + self.l(y.mean(1, keepdim=True))
        return self.b(y.view(n, h // 2, w // 2, 2, 2, c).permute(0, 5, 1, 3, 2, 4).reshape(n, c, h, w))


class FusedQueries(nn.Module):
    """Queries that share one key and one value, of one projection: taken by lists of indices, and by slices from the end."""

    def __init__(self):
        super().__init__()
        self.lists, self.ends = nn.Linear(5, 5 * 4), nn.Linear(5, 5 * 4)
        self.head = nn.Linear(2 * 3 * 4, 3)

    @staticmethod
    def attend(q, k, v):
        q, k, v = (s.transpose(1, 2) for s in (q, k, v))
        k, v = (s.expand(-1, q.shape[1], -1, -1) for s in (k, v))
        return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)

    def forward(self, x):
        a, b = (layer(x).unflatten(-1, (5, 4)) for layer in (self.lists, self.ends))
        a = self.attend(a[..., :-2, :], a[..., [-2], :], a[..., [4], :])
        b = self.attend(b[..., :-2, :], b[..., -2:-1, :], b[..., -1:, :])
        return self.head(torch.cat([a, b], -1))


class InterleavedRotary(nn.Module):
    """Rotary positions of pairs that stand side by side, by tables in buffers."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(5, 3 * 8), nn.Linear(5, 3 * 8), nn.Linear(5, 3 * 6)
        self.head = nn.Linear(3 * 6, 3)
        angles = torch.outer(torch.arange(TOKENS).float(), 100 ** (-torch.arange(4) / 4))
        self.register_buffer("cosine", angles.cos())
        self.register_buffer("sine", angles.sin())

    def rotate(self, x):
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.stack((a * self.cosine - b * self.sine, b * self.cosine + a * self.sine), -1).flatten(-2)

    def turn(self, x):
        cosine, sine = (table.repeat_interleave(2, -1) for table in (self.cosine, self.sine))
        return x * cosine + torch.stack((-x[..., 1::2], x[..., ::2]), -1).flatten(-2) * sine

    def forward(self, x):
        q, k, v = (layer(x).unflatten(-1, (3, -1)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        return self.head(F.scaled_dot_product_attention(self.rotate(q), self.turn(k), v).transpose(1, 2).flatten(2))


class SplitAttention(nn.Module):
    """ResNeSt's: two parts of each of two cardinal groups, weighed against each other."""

    def __init__(self):
        super().__init__()
        self.trunk, self.parts, self.head = nn.Conv2d(3, 6, 1), nn.Conv2d(6, 12, 1, groups=2), nn.Conv2d(6, 4, 1)

    def forward(self, x):
        x = self.trunk(x)
        n = x.shape[0]
        weights = self.parts(x.mean((2, 3), keepdim=True)).view(n, 2, 2, 3).transpose(1, 2).softmax(1).reshape(n, 12, 1, 1)
        a, b = weights.chunk(2, 1)
        return self.head(x * a + x.relu() * b)


class ChannelConvolution(nn.Module):
    """Efficient channel attention: a convolution along the channels."""

    def __init__(self):
        super().__init__()
        self.stem, self.middle, self.along = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 10, 1), nn.Conv1d(1, 1, 3, padding=1)
        self.head = nn.Conv2d(10, 4, 1)

    def forward(self, x):
        x = self.middle(self.stem(x).relu())
        gates = self.along(x.mean((2, 3)).unsqueeze(1)).squeeze(1).sigmoid()
        return self.head(x * gates[:, :, None, None])


class Fourier(nn.Module):
    """Complex weights for the lower modes, written into zeros."""

    def __init__(self):
        super().__init__()
        self.lift, self.modes = nn.Conv2d(3, 6, 1), nn.Parameter(torch.randn(6, 8, 3, 3, dtype=torch.cfloat) / 3)
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        waves = torch.fft.rfft2(self.lift(x))
        mixed = torch.zeros(x.shape[0], 8, 8, 5, dtype=torch.cfloat)
        mixed[:, :, :3, :3] = torch.einsum("bixy,ioxy->boxy", waves[:, :, :3, :3], self.modes)
        return self.head(torch.fft.irfft2(mixed, s=(8, 8)))


@torch.library.custom_op("transformers::grouped_mm_fallback", mutates_args=(),
                         schema="(Tensor input, Tensor weight, Tensor offs) -> Tensor")
def product_of_experts(input, weight, offs):
    """Has the name and the schema of transformers' operator, which is what its mixtures of experts are exported with."""
    expert = torch.searchsorted(offs, torch.arange(len(input), dtype=offs.dtype), right=True)
    return torch.einsum("sk,skn->sn", input, weight[expert])


@product_of_experts.register_fake
def _(input, weight, offs):
    return input.new_empty(input.shape[0], weight.shape[2])


class Experts(nn.Module):
    """A mixture of experts as transformers 5 writes it: rows are sorted by expert, then multiplied expert by expert."""

    def __init__(self):
        super().__init__()
        self.embed, self.router, self.head = nn.Linear(5, WIDTH), nn.Linear(WIDTH, 4), nn.Linear(WIDTH, 3)
        self.up, self.down = nn.Parameter(torch.randn(4, 24, WIDTH) / 4), nn.Parameter(torch.randn(4, WIDTH, 12) / 3)

    def forward(self, x):
        x = self.embed(x)
        rows = x.flatten(0, 1)
        weights, chosen = self.router(rows).softmax(-1).topk(2, -1)
        expert, order = chosen.flatten().sort()
        ends = torch.histc(expert.float(), bins=4, min=0, max=3).cumsum(0, dtype=torch.int32)
        gate, up = product_of_experts(rows[order // 2], self.up.transpose(1, 2), ends).chunk(2, -1)
        y = product_of_experts(F.silu(gate) * up, self.down.transpose(1, 2), ends) * weights.flatten()[order][:, None]
        back = torch.empty_like(order)
        back[order] = torch.arange(len(order))
        return self.head(x + y[back].view(len(rows), 2, -1).sum(1).view_as(x))


def sequence():
    return torch.randn(BATCH, TOKENS, 5)


def image():
    return torch.randn(BATCH, 3, 8, 8)


def tokens():
    return torch.randint(0, 20, (BATCH, TOKENS))


N, T = Dim("n", min=1, max=64), Dim("t", min=2, max=64)

# How each is made, its example inputs, and which of their sizes are dynamic (none where that is left out).
NETWORKS = {
    "self_attention": (SelfAttention, lambda: (sequence(),)),
    "cross_attention": (CrossAttention, lambda: (sequence(),)),
    "transformer": (Transformer, lambda: (sequence(),)),
    "recurrent": (Recurrent, lambda: (sequence(),)),
    "super_resolution": (SuperResolution, lambda: (image(),)),
    "detector": (Detector, lambda: (image(),)),
    "llama": (Llama, lambda: (tokens(),)),
    "gpt2": (Gpt2, lambda: (tokens(),)),
    "bert": (Bert, lambda: (tokens(), torch.ones(BATCH, TOKENS, dtype=torch.long))),
    "mamba": (Mamba, lambda: (sequence(),)),
    "windows": (Windows, lambda: (image(),)),
    "shuffle_net": (ShuffleNet, lambda: (image(),)),
    "unet": (UNet, lambda: (image(),)),
    "mixer": (Mixer, lambda: (image(),)),
    "standardized": (Standardized, lambda: (image(),)),
    "channel_attention": (ChannelAttention, lambda: (sequence(),)),
    "kernels": (Kernels, lambda: (sequence(),)),
    "moments": (Moments, lambda: (sequence(),)),
    "tied_embedding": (TiedEmbedding, lambda: (tokens(),)),
    "tied_autoencoder": (TiedAutoencoder, lambda: (image(),)),
    "normed": (Normed, lambda: (image(),)),
    "space_time": (SpaceTime, lambda: (sequence(),)),
    "swap": (Swap, lambda: (torch.randn(2, 4, 5),), ({0: N},)),
    "two_orders": (TwoOrders, lambda: (torch.randn(2, 2, 5),), ({0: N},)),
    "folded_heads": (FoldedHeads, lambda: (sequence(),), ({0: N},)),
    "folded_heads_static": (FoldedHeads, lambda: (sequence(),)),
    "window_attention": (WindowAttention, lambda: (torch.randn(2, 6, 6, 5),), ({0: N},)),
    "window_heads": (WindowHeads, lambda: (torch.randn(3, 6, 6, 5),), ({0: N},)),
    "prompt": (Prompt, lambda: (torch.randn(2, 4, 5),), ({0: N, 1: T},)),
    "image_tokens": (lambda: ImageTokens(False), lambda: (torch.randn(2, 3, 6, 6),), ({0: N, 2: Dim("h", max=64), 3: Dim("w", max=64)},)),
    "image_columns": (lambda: ImageTokens(True), lambda: (torch.randn(2, 3, 6, 6),), ({0: N, 2: Dim("h", max=64), 3: Dim("w", max=64)},)),
    "image_rows": (ImageRows, lambda: (torch.randn(2, 3, 2, 5),), ({0: N, 2: Dim("h", max=64)},)),
    "image_windows": (ImageWindows, lambda: (torch.randn(2, 3, 4, 4),), ({0: N, 2: 2 * Dim("h", max=64), 3: 2 * Dim("w", max=64)},)),
    "fused_queries": (FusedQueries, lambda: (sequence(),)),
    "interleaved_rotary": (InterleavedRotary, lambda: (sequence(),)),
    "split_attention": (SplitAttention, lambda: (image(),)),
    "channel_convolution": (ChannelConvolution, lambda: (image(),)),
    "fourier": (Fourier, lambda: (image(),)),
    "experts": (Experts, lambda: (sequence(),)),
}


def main(folder, names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        path = folder / f"{name}.pt2"
        torch.manual_seed(0)
        make, inputs, *sizes = NETWORKS[name]
        program = torch.export.export(make().eval(), inputs(), dynamic_shapes=sizes[0] if sizes else None, strict=False)
        partial = path.with_suffix(".partial.pt2")
        torch.export.save(program, partial)
        partial.rename(path)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:] or list(NETWORKS))
