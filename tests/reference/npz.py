"""NumPy's side of .npz files.

    python3 -B tests/reference/npz.py write > tests/fixtures/npz.json
    python3 -B tests/reference/npz.py read FILE

"write" prints small files in base64: "arrays" by name, "statistics" by name, and the mean and the
covariance that are in all of those. "read" prints what is in a file.
"""

import base64
import io
import json
import sys

import numpy as np


def packed(save=np.savez, **arrays):
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return base64.b64encode(buffer.getvalue()).decode()


def written():
    counting = np.arange(24.0)
    arrays = {
        "f4": counting.astype("<f4").reshape(2, 3, 4),
        "f8": counting.reshape(4, 6),
        "i4": counting.astype("<i4"),
        "big": counting.astype(">f8").reshape(4, 6),
        "fortran": np.asfortranarray(counting.reshape(2, 3, 4)),
        "fortran_matrix": np.asfortranarray(counting.reshape(4, 6).astype(">f4")),
        "scalar": np.float64(2.5),
        "half": np.float16(1),
    }
    draws = np.random.default_rng(0).normal(size=(7, 3)) * [1, 2, 1e-3] + [0, 5, -1]
    mu, sigma = draws.mean(axis=0), np.cov(draws, rowvar=False)
    lopsided, infinite, negative = sigma.copy(), sigma.copy(), sigma.copy()
    lopsided[0, 1] += 0.1
    infinite[2, 1] = np.inf
    negative[0, 0] = -1
    statistics = {
        "savez": packed(mu=mu, sigma=sigma),
        "compressed": packed(np.savez_compressed, mu=mu, sigma=sigma),
        "fortran": packed(mu=mu, sigma=np.asfortranarray(sigma)),
        "big-endian": packed(mu=mu.astype(">f8"), sigma=sigma.astype(">f8")),
        "with others": packed(sigma=sigma, arr_0=np.zeros(3, np.uint8), mu=mu),
        "float32": packed(mu=mu.astype("<f4"), sigma=sigma.astype("<f4")),
        "no sigma": packed(mu=mu),
        "no mu": packed(arr_0=mu),
        "matrix for mu": packed(mu=sigma, sigma=sigma),
        "nothing": packed(mu=mu[:0], sigma=sigma[:0, :0]),
        "other size": packed(mu=mu, sigma=sigma[:2, :2]),
        "flat": packed(mu=mu, sigma=sigma.ravel()),
        "integers": packed(mu=mu.astype("<i4"), sigma=sigma),
        "objects": packed(mu=np.array([None, 1]), sigma=sigma),
        "not finite": packed(mu=mu, sigma=infinite),
        "not symmetric": packed(mu=mu, sigma=lopsided),
        "negative": packed(mu=mu, sigma=negative),
    }
    return {
        "numpy": np.__version__,
        "arrays": packed(**arrays),
        "compressed": packed(np.savez_compressed, **arrays),
        "mean": mu.tolist(),
        "covariance": sigma.ravel().tolist(),
        "statistics": statistics,
    }


def read(path):
    with np.load(path) as file:
        return {
            name: {
                "descr": array.dtype.str,
                "shape": array.shape,
                "values": array.ravel().tolist(),
            }
            for name, array in file.items()
        }


json.dump(written() if sys.argv[1] == "write" else read(sys.argv[2]), sys.stdout)
