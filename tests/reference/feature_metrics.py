"""What NumPy and SciPy answer to the cases of metrics of features, as JSON on standard output.

`python3 feature_metrics.py PART...` computes in seconds what tests compare with, `python3
feature_metrics.py --all > ../fixtures/feature_metrics.json` in minutes (roots of 2048 x 2048
covariances, 40 digits) the fixture. Features are drawn by Philox 4x32-10 with sums of
uniform draws, exact in float64, so that feature_metrics.ts makes the same ones to the last bit.

Of singular covariances three answers are recorded. The true one comes from the singular values of the
centred features themselves (`features`): for `tiny` it is checked here against 40 digits. The root of the
eigenvalues (`eigh`) and SciPy's `sqrtm` of the product differ from it by some 1e-8 to 2e-7, relative:
eigenvalues that are zero come as 1e-16 of the largest, their roots as 1e-8. So those two are compared to
the digits that they have.
"""
import json
import sys

import numpy as np
from scipy import linalg


def philox(counters, key):
    """Blocks of Philox 4x32-10: counters [n, 4] and one key of two words."""
    c = [counters[:, i].astype(np.uint64) for i in range(4)]
    k = [np.uint64(word) for word in key]
    mask, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        first, second = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [
            (second >> shift) ^ c[1] ^ k[0],
            second & mask,
            (first >> shift) ^ c[3] ^ k[1],
            first & mask,
        ]
        k = [(k[0] + np.uint64(0x9E3779B9)) & mask, (k[1] + np.uint64(0xBB67AE85)) & mask]
    return np.stack(c, 1)


def features(n, d, seed, shift=0.0):
    """Correlated float32 features, [n, d]: see feature_metrics.ts."""
    blocks = (2 * d + 3) // 4
    counters = np.zeros((n * blocks, 4), np.uint64)
    counters[:, 0] = np.tile(np.arange(blocks), n)
    counters[:, 1] = np.repeat(np.arange(n), blocks)
    words = philox(counters, (seed, 0)).reshape(n, 4 * blocks)[:, : 2 * d]
    uniform = ((words >> np.uint64(9)).astype(np.float64) + 0.5) * 2.0**-23
    centred = uniform[:, 0::2] + uniform[:, 1::2] - 1
    scaled = centred * ((1 + np.arange(d) % 7) / 4)
    scaled[:, 1:] += 0.5 * centred[:, :-1]
    return (scaled + shift * (np.arange(d) / d)).astype(np.float32)


def double(x):
    """The features, and each of them once more."""
    return np.concatenate([x, x], 1)


def subset(count, size, seed, number, which):
    """Fisher and Yates' shuffle, as far as `size`."""
    counters = np.zeros((-(-size // 4), 4), np.uint64)
    counters[:, 0], counters[:, 1], counters[:, 2] = np.arange(len(counters)), number, which
    words = philox(counters, (seed, 0)).reshape(-1)
    order = np.arange(count)
    for i in range(size):
        other = i + ((int(words[i]) * (count - i)) >> 32)
        order[[i, other]] = order[[other, i]]
    return order[:size]


def factor(x):
    """R with the covariance R^T R, from the centred features."""
    centred = (x - x.mean(0)) / np.sqrt(len(x) - 1)
    return np.linalg.qr(centred, mode="r") if len(x) > x.shape[1] else centred


def frechet(x, y, slow):
    x, y = x.astype(np.float64), y.astype(np.float64)
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    base = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(a) + np.trace(b)
    root = np.linalg.svd(factor(x) @ factor(y).T, compute_uv=False).sum()
    answer = {"features": base - 2 * root, "traces": np.trace(a) + np.trace(b)}
    if slow:
        values, vectors = np.linalg.eigh(a)
        half = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
        eigenvalues = np.linalg.eigvalsh(half @ b @ half)
        answer["eigh"] = base - 2 * np.sqrt(np.maximum(eigenvalues, 0)).sum()
        answer["sqrtm"] = base - 2 * np.trace(linalg.sqrtm(a @ b)).real
    return answer


def frechet_of_many_digits(x, y):
    """The same with 40 digits: nothing is lost even of the eigenvalues' roots."""
    from mpmath import mp, mpf

    mp.dps = 40

    def centred(features):
        matrix = mp.matrix([[mpf(float(value)) for value in row] for row in features])
        n = matrix.rows
        means = [sum(matrix[i, j] for i in range(n)) / n for j in range(matrix.cols)]
        for i in range(n):
            for j in range(matrix.cols):
                matrix[i, j] = (matrix[i, j] - means[j]) / mp.sqrt(n - 1)
        return matrix, means

    (a, mean_a), (b, mean_b) = centred(x), centred(y)
    squares = sum(value**2 for value in a) + sum(value**2 for value in b)
    distance = sum((p - q) ** 2 for p, q in zip(mean_a, mean_b))
    values = mp.svd_r(a * b.T, compute_uv=False)
    return float(distance + squares - 2 * sum(values))


def kernel_distance(x, y, subsets, size, seed):
    x, y = x.astype(np.float64), y.astype(np.float64)
    estimates = []
    for number in range(subsets):
        p = x[subset(len(x), size, seed, number, 0)]
        q = y[subset(len(y), size, seed, number, 1)]
        kernel = lambda u, v: (u @ v.T / x.shape[1] + 1) ** 3
        within = lambda k: (k.sum() - np.trace(k)) / (size * (size - 1))
        estimates.append(within(kernel(p, p)) + within(kernel(q, q)) - 2 * kernel(p, q).mean())
    return {"mean": np.mean(estimates), "std": np.std(estimates), "values": estimates}


def grid(n, seed):
    return np.round(2 * features(n, 2, seed))


def distances(x, y):
    return np.sqrt(((x[:, None, :] - y[None, :, :]) ** 2).sum(-1))


def kth_value(unsorted, k):
    return np.partition(unsorted, k - 1, axis=-1)[:, k - 1]


def prdc(real, fake, k):
    """The four numbers as the package `prdc` defines them."""
    real, fake = real.astype(np.float64), fake.astype(np.float64)
    # One more, because a point is its own nearest neighbour.
    real_radii, fake_radii = (kth_value(distances(x, x), k + 1) for x in (real, fake))
    between = distances(real, fake)
    in_real = between < real_radii[:, None]
    return {
        "precision": in_real.any(0).mean(),
        "recall": (between < fake_radii[None, :]).any(1).mean(),
        "density": in_real.sum(0).mean() / k,
        "coverage": (between.min(1) < real_radii).mean(),
    }


def inception_score(logits, splits):
    logits = logits.astype(np.float64)
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    scores = []
    for i in range(splits):
        part = p[i * len(p) // splits : (i + 1) * len(p) // splits]
        divergence = part * (np.log(part) - np.log(part.mean(0, keepdims=True)))
        scores.append(np.exp(divergence.sum(1).mean()))
    return {"mean": np.mean(scores), "std": np.std(scores), "values": scores}


def digest(values):
    """An array in two numbers, as tests/reference/pytorch.ts has it."""
    flat = values.ravel()
    return [np.sqrt((flat**2).sum()), (flat * np.cos(np.arange(flat.size))).sum()]


def statistics(x):
    x = x.astype(np.float64)
    return {"mean": digest(x.mean(0)), "covariance": digest(np.cov(x, rowvar=False))}


FRECHET = {
    "more samples than features": (features(300, 64, 1), features(500, 64, 2, 0.25), True),
    "fewer samples than features": (features(50, 128, 1), features(40, 128, 2, 0.25), True),
    "one set of fewer, one of more": (features(100, 128, 1), features(300, 128, 2, 0.25), True),
    "duplicated features": (
        double(features(400, 40, 1)),
        double(features(300, 40, 2, 0.25)),
        True,
    ),
    "2048 features, duplicated": (
        double(features(300, 1024, 1)),
        features(200, 2048, 2, 0.25),
        "--all" in sys.argv,
    ),
    "tiny": (features(5, 8, 1), features(4, 8, 2, 0.25), True),
}


PARTS = {
    "features": lambda: digest(features(20, 10, 3, 0.5).astype(np.float64)),
    "statistics": lambda: {
        "plain": statistics(features(500, 30, 5)),
        "far": statistics(features(500, 30, 5) + np.float32(4096)),
    },
    "frechet": lambda: {name: frechet(*case) for name, case in FRECHET.items()},
    "digits": lambda: frechet_of_many_digits(*FRECHET["tiny"][:2]),
    "kernel": lambda: {
        "narrow": kernel_distance(features(60, 20, 1), features(50, 20, 2, 0.25), 6, 30, 7),
        "wide": kernel_distance(features(400, 300, 1), features(300, 300, 2, 2), 3, 200, 8),
    },
    "prdc": lambda: {
        "plane": prdc(features(90, 2, 1), features(70, 2, 2, 1.0), 3),
        "wide": prdc(features(120, 40, 1), features(110, 40, 2, 0.5), 5),
        # On a grid, so that many distances are exactly the same.
        "ties": prdc(grid(90, 1), grid(80, 2), 4),
    },
    "score": lambda: {
        "even": inception_score(8 * features(200, 10, 9), 10),
        "uneven": inception_score(8 * features(203, 12, 9), 7),
    },
}

names = [name for name in sys.argv[1:] if name != "--all"] or PARTS
print(json.dumps({name: PARTS[name]() for name in names}, indent=1))
