"""What the references share: safetensors files in and out, and the energy loss with its gradients.

A reference is run as `python3 REFERENCE.py REQUEST RESPONSE`. The request is a safetensors file with the
potential's parameters ("parameters/NAME"), a batch ("data", "noise" [n, h, w, c], "time" [n]), what else
the reference wants, and the potential's options as JSON under "options" in its metadata. The response
has "phi" [n], "velocity" [n, h, w, c], "loss" [] and "gradients/NAME". All is computed in float64, so that
float32 is judged by its own rounding alone.
"""
import json
import sys

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def read(path):
    """Float32 arrays of a safetensors file as float64 tensors, and the file's metadata."""
    with open(path, "rb") as file:
        content = file.read()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        assert entry["dtype"] == "F32", f"{name} is {entry['dtype']}"
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(content[begin:end], "<f4").astype(np.float64)
        tensors[name] = torch.from_numpy(values.reshape(entry["shape"]))
    return tensors, metadata


def write(path, tensors):
    """Tensors as float64 arrays of a safetensors file."""
    header, payload = {}, b""
    for name, tensor in tensors.items():
        # `ascontiguousarray` would make a scalar a list of one.
        values = np.asarray(tensor.detach().numpy(), "<f8", "C")
        begin, payload = len(payload), payload + values.tobytes()
        header[name] = {"dtype": "F64", "shape": list(values.shape), "data_offsets": [begin, len(payload)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + payload)


def inner(a, b):
    return (a * b).flatten(1).sum(1)


def stein_loss(phi, data, noise, time):
    """The mean over the batch of −v·∇Φ + ½|∇Φ|² on the path β = 1 − u, α = 1 − β²: (Φ, ∇Φ, loss)."""
    beta = (1 - time).view(-1, 1, 1, 1)
    x = ((1 - beta**2) * data + beta * noise).requires_grad_()
    velocity = 2 * beta * data - noise
    value = phi(x, time)
    (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    return value, gradient, (0.5 * inner(gradient, gradient) - inner(gradient, velocity)).mean()


def main(make_potential):
    """Answers a request. `make_potential(parameters, options, tensors)` gives Φ(x [n, h, w, c], u [n])."""
    tensors, metadata = read(sys.argv[1])
    prefix = "parameters/"
    parameters = {
        name[len(prefix) :]: tensor.requires_grad_() for name, tensor in tensors.items() if name.startswith(prefix)
    }
    phi = make_potential(parameters, json.loads(metadata["options"]), tensors)
    value, gradient, loss = stein_loss(phi, tensors["data"], tensors["noise"], tensors["time"])
    gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    response = {"phi": value, "velocity": gradient, "loss": loss}
    for (name, parameter), found in zip(parameters.items(), gradients):
        response["gradients/" + name] = torch.zeros_like(parameter) if found is None else found
    write(sys.argv[2], response)
