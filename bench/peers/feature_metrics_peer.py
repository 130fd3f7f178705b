"""Metrics of features by NumPy and SciPy, timed: `python3 feature_metrics_peer.py REQUEST`, a JSON object
{directory, task, …}, answers {seconds, value} on standard output. Files lie in the directory: x.f32 and
y.f32, and what one task leaves for another. Only arithmetic is timed, in float64, on features in memory.
"""
import json
import sys
import time

import numpy as np
import scipy
from scipy import linalg

request = json.loads(sys.argv[1])
directory, dimension = request["directory"], request["dimension"]


def features(name, count=None):
    size = -1 if count is None else count * dimension
    x = np.fromfile(f"{directory}/{name}.f32", np.float32, size)
    return x.reshape(-1, dimension)


def statistics():
    """As pytorch-fid does it."""
    x = features(request["name"]).astype(np.float64)
    start = time.perf_counter()
    mean, covariance = np.mean(x, axis=0), np.cov(x, rowvar=False)
    seconds = time.perf_counter() - start
    np.savez(f"{directory}/{request['name']}.npz", mu=mean, sigma=covariance)
    return seconds, covariance.trace()


def traces():
    a, b = (np.load(f"{directory}/{name}.npz") for name in "xy")
    apart = ((a["mu"] - b["mu"]) ** 2).sum() + a["sigma"].trace() + b["sigma"].trace()
    return a["sigma"], b["sigma"], apart


def frechet_sqrtm():
    """As pytorch-fid does it."""
    a, b, apart = traces()
    start = time.perf_counter()
    root = linalg.sqrtm(a.dot(b))
    return time.perf_counter() - start, apart - 2 * np.trace(root).real


def frechet_eigenvalues():
    """As torchmetrics and clean programs do it: the eigenvalues of the product."""
    a, b, apart = traces()
    start = time.perf_counter()
    values, vectors = np.linalg.eigh(a)
    half = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    eigenvalues = np.linalg.eigvalsh(half @ b @ half)
    root = np.sqrt(np.maximum(eigenvalues, 0)).sum()
    return time.perf_counter() - start, apart - 2 * root


def kernel():
    x, y = features("x").astype(np.float64), features("y").astype(np.float64)
    size = request["size"]
    subsets = np.fromfile(f"{directory}/subsets.i32", np.int32).reshape(-1, 2, size)
    start = time.perf_counter()
    estimates = []
    for first, second in subsets:
        p, q = x[first], y[second]
        k = lambda u, v: (u @ v.T / dimension + 1) ** 3
        within = lambda m: (m.sum() - np.trace(m)) / (size * (size - 1))
        estimates.append(within(k(p, p)) + within(k(q, q)) - 2 * k(p, q).mean())
    return time.perf_counter() - start, np.mean(estimates)


def distances(x, y):
    squares = lambda u: np.einsum("ij,ij->i", u, u)
    between = -2 * x @ y.T + squares(x)[:, None] + squares(y)[None, :]
    return np.sqrt(np.maximum(between, 0))


def radii(x, k):
    """The k-th distance to others, as the package prdc has it: one's own, which is 0, is skipped."""
    own = distances(x, x)
    np.fill_diagonal(own, 0)
    return np.partition(own, k, axis=-1)[:, k]


def prdc():
    count, k = request["count"], request["neighbours"]
    real, fake = (features(name, count).astype(np.float64) for name in "xy")
    start = time.perf_counter()
    real_radii, fake_radii = radii(real, k), radii(fake, k)
    between = distances(real, fake)
    inside = between < real_radii[:, None]
    value = [
        inside.any(0).mean(),
        (between < fake_radii[None, :]).any(1).mean(),
        inside.sum(0).mean() / k,
        (between.min(1) < real_radii).mean(),
    ]
    return time.perf_counter() - start, value


TASKS = {task.__name__: task for task in (statistics, frechet_sqrtm, frechet_eigenvalues, kernel, prdc)}
seconds, value = TASKS[request["task"]]()
version = f"NumPy {np.__version__}, SciPy {scipy.__version__}"
print(json.dumps({"seconds": seconds, "value": value, "version": version}))
