"""Log densities of points under the flow of an MLP potential, by SciPy in float64.

Reads a request as JSON from standard input: `layers` [{kernel, bias}], `points` [n][d], `begin` (the
time at which they are samples), `omega` (the prior's standard deviation). Time is the last input of the
first layer; between layers is the exact GELU. Answers {"logDensity": [n]} on standard output.

The position and the integral of the Laplacian are one system for each point, solved back to u = 0 by
DOP853 at a tolerance of 1e-12. Value, gradient and second derivatives go forward through the layers.
"""
import json
import sys

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import erf


def gelu(z):
    """GELU with its first two derivatives."""
    cdf = 0.5 * (1 + erf(z / np.sqrt(2)))
    pdf = np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return z * cdf, cdf + z * pdf, pdf * (2 - z * z)


def velocity_and_laplacian(layers, x, u):
    d = len(x)
    value = np.append(x, u)
    first = np.vstack([np.eye(d), np.zeros((1, d))])  # d(value)/dx
    second = np.zeros((d + 1, d))  # d²(value)/dx_j²
    for i, (kernel, bias) in enumerate(layers):
        value, first, second = kernel.T @ value + bias, kernel.T @ first, kernel.T @ second
        if i < len(layers) - 1:
            value, slope, curvature = gelu(value)
            second = curvature[:, None] * first**2 + slope[:, None] * second
            first = slope[:, None] * first
    return first[0], second[0].sum()


def log_density(request, point):
    layers = [(np.array(layer["kernel"]), np.array(layer["bias"])) for layer in request["layers"]]
    d, omega = len(point), request["omega"]

    def derivative(u, y):
        velocity, laplacian = velocity_and_laplacian(layers, y[:d], u)
        return np.append(velocity, laplacian)

    solution = solve_ivp(
        derivative,
        (request["begin"], 0),
        np.append(point, 0.0),
        method="DOP853",
        rtol=1e-12,
        atol=1e-12,
    )
    end = solution.y[:, -1]
    start, integral = end[:d], end[d]
    return -d * np.log(omega * np.sqrt(2 * np.pi)) - start @ start / (2 * omega**2) + integral


request = json.load(sys.stdin)
answer = [log_density(request, np.array(point)) for point in request["points"]]
json.dump({"logDensity": answer}, sys.stdout)
