"""The FID Inception network in PyTorch, with weights that are a function of a seed alone.

    python3 inception.py weights SEED FILE.pth       its state dictionary, as PyTorch saves it
    python3 inception.py answer SEED REQUEST RESPONSE

The request is a safetensors file with "images" [n, h, w, 3] in [-1, 1]; the response has "features" [n, 2048]
and "logits" [n, 1008], computed in float64, so that float32 is judged by its own rounding alone.

The network is torchvision's Inception3 with 1,008 classes, changed where TensorFlow's graph of 2015-12-05 differs,
as pytorch-fid changes it: average poolings count pixels inside the image alone, and the last block pools maxima.
Logits are without bias. Weights are hashes of their names and places (see inception_weights.ts, which computes
the same): float32, uniform, of a scale at which what passes through neither dies nor explodes.
"""
import math
import sys
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
import torchvision


def pool_of_branch(x, kernel_size, stride, padding):
    """What the blocks' pooling branches begin with. The last block alone has 2,048 channels."""
    if x.shape[1] == 2048:
        return F.max_pool2d(x, kernel_size, stride, padding)
    return F.avg_pool2d(x, kernel_size, stride, padding, count_include_pad=False)


torchvision.models.inception.F = SimpleNamespace(**{**vars(F), "avg_pool2d": pool_of_branch})


def uniform(seed, name, count):
    """[-1, 1), from the finaliser of MurmurHash3 over the seed, the name (FNV-1a) and the place."""
    start = 0x811C9DC5
    for byte in name.encode():
        start = ((start ^ byte) * 0x01000193) & 0xFFFFFFFF
    start = (start + seed * 0x9E3779B1) & 0xFFFFFFFF
    h = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(start)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = (h ^ (h >> np.uint32(shift))) * np.uint32(factor)
    h ^= h >> np.uint32(16)
    return (h >> np.uint32(8)) / 2**23 - 1


def range_of(name, shape):
    """The middle and the half-width of an array's values."""
    if name.endswith("conv.weight"):
        # He et al. (2015): ReLU halves the mean square. A uniform draw has a third of its half-width's.
        return 0, math.sqrt(6 / math.prod(shape[1:]))
    if name == "fc.weight":
        return 0, math.sqrt(3 / shape[1])
    if name.endswith("bn.weight"):
        return 1, 0.25
    return (1, 0.5) if name.endswith("running_var") else (0, 0.25)


def weights(seed, shapes):
    state = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.zeros((), dtype=torch.int64)
            continue
        middle, width = range_of(name, shape)
        values = middle + width * uniform(seed, name, math.prod(shape))
        state[name] = torch.from_numpy(values.astype(np.float32).reshape(shape))
    return state


def network(seed):
    """In evaluation mode, float32."""
    inception = torchvision.models.inception_v3(
        weights=None, num_classes=1008, aux_logits=False, init_weights=False, transform_input=False
    )
    shapes = {name: tuple(array.shape) for name, array in inception.state_dict().items()}
    inception.load_state_dict(weights(seed, shapes))
    return inception.eval()


def resized(images):
    """[n, c, h, w] → [n, c, 299, 299]."""
    return F.interpolate(images, size=(299, 299), mode="bilinear", align_corners=False)


def pool3(inception, images):
    """Features [n, 2048] of [n, 3, h, w] in [-1, 1], as pytorch-fid computes them."""
    found = []
    hook = inception.avgpool.register_forward_hook(lambda *arguments: found.append(arguments[-1]))
    inception(resized(images))
    hook.remove()
    return found[0].flatten(1)


def answer(seed, request, response):
    from comparison import read, write  # makes float64 the default

    tensors, _ = read(request)
    inception = network(seed).double()
    with torch.no_grad():
        features = pool3(inception, tensors["images"].permute(0, 3, 1, 2))
        write(response, {"features": features, "logits": features @ inception.fc.weight.T})


if __name__ == "__main__":
    command, seed, *files = sys.argv[1:]
    if command == "weights":
        torch.save(network(int(seed)).state_dict(), *files)
    else:
        answer(int(seed), *files)
