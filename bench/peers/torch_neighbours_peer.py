#!/usr/bin/python3
"""The nearest neighbours of bench/neighbours_report.ts in PyTorch, as a process that speaks JSON lines.

Each line of standard input is a request, each is answered by one line of standard output:

  {"describe": true}                                            → {"version": …}
  {"load": {"queries": path, "set": path, "type": "uint8" | "float32", "size": d}}  → {}
  {"k": k, "threads": 1, "part": rows, "repeats": n}            → {"seconds": [n numbers]}
  {"k": k, "neighbours": true}                                  → {"indices": […], "distances": […]}

The work is `torch.cdist` and `topk`, part after part of the set as it lies in memory: bytes become
floats in [−1, 1] on the way.
"""
import json
import sys
import time

import numpy
import torch


def load(path, kind, size):
    return torch.from_numpy(numpy.fromfile(path, kind).reshape(-1, size))


def floats(points):
    return points.float().div_(127.5).sub_(1) if points.dtype == torch.uint8 else points


def nearest(queries, points, k, part):
    queries = floats(queries)
    distances = [torch.cdist(queries, floats(points[i : i + part])) for i in range(0, len(points), part)]
    return torch.cat(distances, 1).topk(k, dim=1, largest=False)


def answer(request, data):
    if "describe" in request:
        return {"version": torch.__version__}
    if "load" in request:
        files = request["load"]
        for name in ("queries", "set"):
            data[name] = load(files[name], files["type"], files["size"])
        return {}
    if "neighbours" in request:
        found = nearest(data["queries"], data["set"], request["k"], 8192)
        return {"indices": found.indices.flatten().tolist(), "distances": found.values.flatten().tolist()}
    torch.set_num_threads(request["threads"])
    seconds = []
    for _ in range(request["repeats"]):
        start = time.perf_counter()
        nearest(data["queries"], data["set"], request["k"], request["part"])
        seconds.append(time.perf_counter() - start)
    return {"seconds": seconds}


data = {}
with torch.no_grad():
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line), data)), flush=True)
