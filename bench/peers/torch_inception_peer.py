#!/usr/bin/python3
"""The FID Inception network in PyTorch, as a process that speaks JSON lines.

Each line of standard input is a request, each is answered by one line of standard output:

  {"describe": true}                                          → {"version": …, …}
  {"images": {"shape": [n, h, w, 3], "values": […]}}          → {"features": [n·2048 numbers]}
  {"batch": n, "side": 32, "threads": 1, "form": "nchw", "repeats": n}
                                                              → {"seconds": [n numbers]}

It is evaluated as pytorch-fid does it: torchvision's modules in evaluation mode, images in [-1, 1] resized to
299×299 within. The form "channels last" lets PyTorch keep images and filters in its other memory format.
"""
import json
import os
import sys
import time

import torch

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../tests/reference"))
import inception  # noqa: E402

networks = {}


def network(form):
    if form not in networks:
        networks[form] = inception.network(7)
        if form == "channels last":
            networks[form].to(memory_format=torch.channels_last)
    return networks[form]


def features(shape, values):
    images = torch.tensor(values).reshape(shape).permute(0, 3, 1, 2).contiguous()
    return inception.pool3(network("nchw"), images)


def measure(batch, side, threads, form, repeats):
    """Seconds a batch, after one that is not counted."""
    torch.set_num_threads(threads)
    images, evaluated, seconds = torch.rand(batch, 3, side, side) * 2 - 1, network(form), []
    if form == "channels last":
        images = images.contiguous(memory_format=torch.channels_last)
    for _ in range(repeats + 1):
        start = time.perf_counter()
        inception.pool3(evaluated, images)
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def answer(request):
    if "describe" in request:
        return {"version": torch.__version__, "python": sys.version.split()[0],
                "mkldnn": torch.backends.mkldnn.is_available()}
    if "images" in request:
        return {"features": features(**request["images"]).flatten().tolist()}
    return {"seconds": measure(**request)}


if __name__ == "__main__":
    with torch.no_grad():
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line))), flush=True)
