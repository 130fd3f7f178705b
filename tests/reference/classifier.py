"""The small classifier of digits and clothes in PyTorch, by the words of core/metrics/classifier_network.ts.

    python3 classifier.py REQUEST RESPONSE

The request is a safetensors file with images [n, side, side, 1] in [-1, 1] ("images/NAME", of any
number) and the network's parameters ("parameters/NAME"); the response has "features/NAME" [n, 128] and
"logits/NAME" [n, 10] of each, in float64.
"""
import sys

import torch
import torch.nn.functional as F
from comparison import read, write


def at_32(images):
    """[n, 1, side, side]: padded to 32 or 16 with black, and 16 with every pixel four times."""
    side = images.shape[2]
    margin = ((16 if side < 20 else 32) - side) // 2
    images = F.pad(images, (margin,) * 4, value=-1)
    return images if images.shape[2] == 32 else images.repeat_interleave(2, 2).repeat_interleave(2, 3)


def classify(parameters, images):
    x = at_32(images.permute(0, 3, 1, 2)) + 1
    for i in range(3):
        kernel = parameters[f"parameters/conv{i}.kernel"].permute(3, 2, 0, 1)
        x = F.avg_pool2d(F.gelu(F.conv2d(x, kernel, parameters[f"parameters/conv{i}.bias"], padding=1)), 2)
    x = x.permute(0, 2, 3, 1).flatten(1)
    features = F.gelu(x @ parameters["parameters/dense.kernel"] + parameters["parameters/dense.bias"])
    return features, features @ parameters["parameters/head.kernel"] + parameters["parameters/head.bias"]


if __name__ == "__main__":
    tensors, _ = read(sys.argv[1])
    response = {}
    for name, images in tensors.items():
        kind, _, size = name.partition("/")
        if kind == "images":
            response["features/" + size], response["logits/" + size] = classify(tensors, images)
    write(sys.argv[2], response)
