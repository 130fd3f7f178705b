"""The U-Net potential in PyTorch: see comparison.py for how it is run.

The modules are put together as in ADM (Dhariwal and Nichol, "Diffusion Models Beat GANs on Image Synthesis",
2021), so that their state dictionary has the names of ADM's public code, with use_scale_shift_norm,
conv_resample=False and use_new_attention_order. The options hold "admNames", the name there of each parameter
here; a request may have masks, "masks/LAYER" [n, h, w, c], that features are multiplied with where dropout is.
"""
import math

import torch
from torch import nn
import torch.nn.functional as F
from torch.nn.utils import stateless

from comparison import inner, main


class Block(nn.Module):
    def __init__(self, inputs, outputs, embedding, groups, name):
        super().__init__()
        self.mask_name = name + ".dropout"
        self.in_layers = nn.Sequential(
            nn.GroupNorm(groups, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1)
        )
        if embedding:
            self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * outputs))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(groups, outputs), nn.SiLU(), nn.Identity(), nn.Conv2d(outputs, outputs, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x, time, masks):
        norm, silu, _, conv2 = self.out_layers
        h = norm(self.in_layers(x))
        if time is not None:
            scale, shift = self.emb_layers(time)[..., None, None].chunk(2, dim=1)
            h = h * (1 + scale) + shift
        h = silu(h)
        if self.mask_name in masks:
            h = h * masks[self.mask_name].permute(0, 3, 1, 2)
        return self.skip_connection(x) + conv2(h)


class Attention(nn.Module):
    def __init__(self, channels, groups, heads):
        super().__init__()
        self.heads = heads
        self.norm = nn.GroupNorm(groups, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv1d(channels, channels, 1)

    def forward(self, x, _time, _masks):
        n, channels, *_ = x.shape
        pixels = x.flatten(2)
        q, k, v = (
            part.reshape(n * self.heads, channels // self.heads, -1)
            for part in self.qkv(self.norm(pixels)).chunk(3, dim=1)
        )
        scale = (channels // self.heads) ** -0.25
        weights = torch.softmax(torch.einsum("bct,bcs->bts", q * scale, k * scale), dim=-1)
        mixed = torch.einsum("bts,bcs->bct", weights, v).reshape(n, channels, -1)
        return x + self.proj_out(mixed).reshape(x.shape)


class Up(nn.Module):
    def forward(self, x, _time, _masks):
        return F.interpolate(x, scale_factor=2, mode="nearest")


class Down(nn.Module):
    def forward(self, x, _time, _masks):
        return F.avg_pool2d(x, 2)


class Stem(nn.Conv2d):
    def forward(self, x, _time, _masks):
        return super().forward(x)


class UNet(nn.Module):
    def __init__(
        self, imageShape, channels, multipliers, blocksPerLevel, attentionSides, groups, heads, timeExplicit, **_
    ):
        super().__init__()
        self.channels = channels
        height, _, image_channels = imageShape
        embedding = 4 * channels if timeExplicit else 0
        if embedding:
            self.time_embed = nn.Sequential(
                nn.Linear(channels, embedding), nn.SiLU(), nn.Linear(embedding, embedding)
            )
        stem = now = channels * multipliers[0]
        skips = [now]
        self.input_blocks = nn.ModuleList([nn.ModuleList([Stem(image_channels, now, 3, padding=1)])])

        def stage(name, level, index, skip):
            nonlocal now
            outputs = channels * multipliers[level]
            parts = [Block(now + skip, outputs, embedding, groups, f"{name}.level{level}.block{index}")]
            if height // 2**level in attentionSides:
                parts.append(Attention(outputs, groups, heads))
            now = outputs
            return parts

        for level in range(len(multipliers)):
            for i in range(blocksPerLevel):
                self.input_blocks.append(nn.ModuleList(stage("encoder", level, i, 0)))
                skips.append(now)
            if level < len(multipliers) - 1:
                self.input_blocks.append(nn.ModuleList([Down()]))
                skips.append(now)
        self.middle_block = nn.ModuleList([
            Block(now, now, embedding, groups, "middle.block0"),
            Attention(now, groups, heads),
            Block(now, now, embedding, groups, "middle.block1"),
        ])
        self.output_blocks = nn.ModuleList()
        for level in reversed(range(len(multipliers))):
            for i in range(blocksPerLevel + 1):
                parts = stage("decoder", level, i, skips.pop())
                if level > 0 and i == blocksPerLevel:
                    parts.append(Up())
                self.output_blocks.append(nn.ModuleList(parts))
        self.out = nn.Sequential(
            nn.GroupNorm(groups, stem), nn.SiLU(), nn.Conv2d(stem, image_channels, 3, padding=1)
        )

    def embed(self, time):
        half = self.channels // 2
        angles = time[:, None] * torch.exp(-math.log(10000) * torch.arange(half) / half)
        return self.time_embed(torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1))

    def forward(self, x, time, masks):
        embedded = self.embed(time) if hasattr(self, "time_embed") else None

        def run(parts, h):
            for part in parts:
                h = part(h, embedded, masks)
            return h

        h, skips = x, []
        for parts in self.input_blocks:
            h = run(parts, h)
            skips.append(h)
        h = run(self.middle_block, h)
        for parts in self.output_blocks:
            h = run(parts, torch.cat([h, skips.pop()], dim=1))
        return self.out(h)


def as_torch(tensor, shape):
    """[h, w, i, o] as [o, i, h, w], [i, o] as [o, i] or [o, i, 1], vectors as they are."""
    if tensor.dim() == 4:
        tensor = tensor.permute(3, 2, 0, 1).contiguous()
    elif tensor.dim() == 2:
        tensor = tensor.T
    return tensor[..., None] if len(shape) == 3 else tensor


def make_potential(parameters, options, tensors):
    net = UNet(**options)
    shapes = {name: parameter.shape for name, parameter in net.named_parameters()}
    names = options["admNames"]
    assert sorted(names[name] for name in parameters) == sorted(shapes), "other parameters than ADM's"
    state = {names[name]: as_torch(value, shapes[names[name]]) for name, value in parameters.items()}
    for name, value in state.items():
        assert value.shape == shapes[name], f"{name} is {list(value.shape)}, expected {list(shapes[name])}"
    masks = {name[len("masks/") :]: mask for name, mask in tensors.items() if name.startswith("masks/")}

    def phi(x, time):
        f = stateless.functional_call(net, state, (x.permute(0, 3, 1, 2), time, masks)).permute(0, 2, 3, 1)
        return inner(x, f) if options["head"] == "inner-product" else -0.5 * inner(x - f, x - f)

    return phi


if __name__ == "__main__":
    main(make_potential)
