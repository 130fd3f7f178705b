"""The wide ResNet potential in PyTorch: see comparison.py for how it is run.

stem 3×3; per level residual blocks conv2(gelu(conv1(gelu(x)))) + shortcut, 3×3 where channels change; 2×2
average pooling between levels; GELU, sum over pixels, dense. Every layer is weight-normalised: w = g·v/|v|,
the norm over all axes but the output channel. With time as an input it is one more constant channel.
"""
import torch
import torch.nn.functional as F

from comparison import main


def make_potential(parameters, options, _tensors):
    multipliers, blocks = options["multipliers"], options["blocksPerLevel"]

    def weights(name):
        v = parameters[name + ".v"]
        return parameters[name + ".g"] * v / v.flatten(0, -2).norm(dim=0)

    def convolution(name, h):
        return F.conv2d(h, weights(name).permute(3, 2, 0, 1).contiguous(), parameters[name + ".bias"], padding=1)

    def block(name, h):
        inner = convolution(name + ".conv1", F.gelu(h))
        residual = convolution(name + ".conv2", F.gelu(inner))
        changes = name + ".shortcut.v" in parameters
        return residual + (convolution(name + ".shortcut", h) if changes else h)

    def phi(x, time):
        h = x.permute(0, 3, 1, 2)
        if options["timeExplicit"]:
            plane = time.view(-1, 1, 1, 1).expand(-1, 1, *h.shape[2:])
            h = torch.cat([h, plane], 1)
        h = convolution("stem", h)
        for level in range(len(multipliers)):
            if level > 0:
                h = F.avg_pool2d(h, 2)
            for i in range(blocks):
                h = block(f"level{level}.block{i}", h)
        features = F.gelu(h).sum((2, 3))
        return (features @ weights("head") + parameters["head.bias"])[:, 0]

    return phi


if __name__ == "__main__":
    main(make_potential)
