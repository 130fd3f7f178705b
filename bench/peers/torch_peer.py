#!/usr/bin/python3
"""The works of bench/train/works.ts in PyTorch, as a process that speaks JSON lines.

Each line of standard input is a request, each is answered by one line of standard output:

  {"describe": true}                                  → {"version": …, …}
  {"work": {…}, "threads": 1, "variant": "…", "repeats": n, "warmUp": true}
                                                      → {"seconds": [n numbers]}
  {"work": {…}, "variants": true}                     → {"variants": ["…", …]}
  {"check": {…}}                                      → {"loss": …, "gradientNorm": …, …}
  {"release": true}                                   → {}

A work is an entry of works.ts; prepared ones are kept until "release". The mathematics is that of
core/train/training_step.ts, written by hand the way PyTorch is fastest at: eager operations of
torch.nn.functional on one process's threads, `_foreach` operations where they pay, nothing read back
to Python in a step. Variants are different ways to write one work (memory formats, optimisers); the
report takes the fastest.
"""
import base64
import ctypes
import json
import math
import sys
import time

import numpy
import torch
import torch.nn.functional as F


# --- Threads -----------------------------------------------------------------------------------

def find_openblas():
    """OpenBLAS has threads of its own, which torch.set_num_threads does not reach."""
    try:
        library = ctypes.CDLL("libopenblas.so.0")
        library.openblas_set_num_threads
        return library
    except (OSError, AttributeError):
        return None


OPENBLAS = find_openblas()


def set_threads(count):
    torch.set_num_threads(count)
    if OPENBLAS is not None:
        OPENBLAS.openblas_set_num_threads(count)


# --- GELU ---------------------------------------------------------------------------------------

class TwiceDifferentiableGelu(torch.autograd.Function):
    """F.gelu, whose own second derivative takes a dozen temporaries; this one takes two."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return F.gelu(x)

    @staticmethod
    def backward(ctx, dy):
        return GeluGradient.apply(dy, *ctx.saved_tensors)


class GeluGradient(torch.autograd.Function):
    """dy·g'(x); its derivatives are ddx·g'(x) and ddx·dy·g''(x), g'' = (2 − x²) exp(−x²/2)/√(2π)."""

    @staticmethod
    def forward(ctx, dy, x):
        ctx.save_for_backward(dy, x)
        return torch.ops.aten.gelu_backward(dy, x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, ddx):
        dy, x = ctx.saved_tensors
        square = x * x
        density = (square * -0.5).exp_()
        second = square.sub_(2).mul_(density).mul_(dy).mul_(ddx).mul_(-1 / math.sqrt(2 * math.pi))
        return torch.ops.aten.gelu_backward(ddx, x), second


# --- Potentials: (parameters, x, u) -> Φ [n] ----------------------------------------------------

class Mlp:
    """Dense layers with exact GELU; parameters in torch's own order, [outputs, inputs]."""

    def __init__(self, options, sample_shape, gelu):
        assert not options["weightNormalization"]
        self.gelu = gelu
        self.explicit = options["timeExplicit"]
        octaves = options.get("timeFeatures", 0)
        self.angles = torch.tensor([2.0 ** k * math.pi / 2 for k in range(octaves)])
        inputs = sample_shape[0] + (1 + 2 * octaves if self.explicit else 0)
        self.sizes = [inputs, *options["hidden"], 1]

    def initialize(self):
        parameters = {}
        for i, (inputs, outputs) in enumerate(zip(self.sizes, self.sizes[1:])):
            parameters[f"dense{i}.kernel"] = torch.randn(outputs, inputs) / math.sqrt(inputs)
            parameters[f"dense{i}.bias"] = torch.zeros(outputs)
        return parameters

    def time_inputs(self, u):
        column = u[:, None]
        angles = column * self.angles
        return torch.cat([column, torch.stack((angles.sin(), angles.cos()), 2).flatten(1)], 1)

    def kernels(self, parameters):
        """What the parameters alone determine."""
        depth = len(self.sizes) - 1
        return [(parameters[f"dense{i}.kernel"], parameters[f"dense{i}.bias"])
                for i in range(depth)]

    def apply(self, layers, x, u):
        h = torch.cat([x, self.time_inputs(u)], 1) if self.explicit else x
        for kernel, bias in layers[:-1]:
            h = self.gelu(F.linear(h, kernel, bias))
        return F.linear(h, *layers[-1]).squeeze(1)


class WideResnet:
    """The wide residual network; filters [outputs, inputs, 3, 3], weight-normalised."""

    def __init__(self, options, sample_shape, gelu):
        assert not options["timeExplicit"]
        self.gelu = gelu
        channels, blocks = options["channels"], options["blocksPerLevel"]
        self.levels, inputs = [], channels
        self.shapes = {"stem": (channels, sample_shape[2], 3, 3)}
        for level, multiplier in enumerate(options["multipliers"]):
            names, outputs = [], channels * multiplier
            for index in range(blocks):
                name = f"level{level}.block{index}"
                self.shapes[f"{name}.conv1"] = (outputs, inputs, 3, 3)
                self.shapes[f"{name}.conv2"] = (outputs, outputs, 3, 3)
                if inputs != outputs:
                    self.shapes[f"{name}.shortcut"] = (outputs, inputs, 3, 3)
                names.append(name)
                inputs = outputs
            self.levels.append(names)
        self.shapes["head"] = (1, inputs)

    def initialize(self):
        parameters = {}
        for name, shape in self.shapes.items():
            parameters[f"{name}.v"] = 0.05 * torch.randn(shape)
            parameters[f"{name}.g"] = torch.ones(shape[0])
            parameters[f"{name}.bias"] = torch.zeros(shape[0])
        return parameters

    def kernels(self, parameters):
        """Weight normalisation: g·v/|v|, the norm over all axes but the outputs'."""
        layers = {}
        for name, shape in self.shapes.items():
            v, g = parameters[f"{name}.v"], parameters[f"{name}.g"]
            squares = v.square().sum(tuple(range(1, len(shape))))
            scale = (g * squares.rsqrt()).view(-1, *[1] * (len(shape) - 1))
            layers[name] = (v * scale, parameters[f"{name}.bias"])
        return layers

    def apply(self, layers, x, u):
        def convolution(name, x):
            kernel, bias = layers[name]
            return F.conv2d(x, kernel, bias, padding=1)

        h = convolution("stem", x)
        for level, blocks in enumerate(self.levels):
            if level > 0:
                h = F.avg_pool2d(h, 2)
            for name in blocks:
                inner = convolution(f"{name}.conv1", self.gelu(h))
                residual = convolution(f"{name}.conv2", self.gelu(inner))
                has_shortcut = f"{name}.shortcut" in layers
                h = (convolution(f"{name}.shortcut", h) if has_shortcut else h) + residual
        return F.linear(self.gelu(h).sum((2, 3)), *layers["head"]).squeeze(1)


def make_potential(config, sample_shape, variant):
    make = Mlp if config["potential"]["kind"] == "mlp" else WideResnet
    gelu = TwiceDifferentiableGelu.apply if "own gelu" in variant else F.gelu
    return make(config["potential"], sample_shape, gelu)


# --- The path, the loss -------------------------------------------------------------------------

def path_coefficients(path, u):
    """α, β and their derivatives at the times u."""
    assert path["timeLaw"] == "linear-std"
    omega = path["omega"]
    ratio = 1 - u
    if path["path"] == "log-homotopy":
        return u * (1 + ratio), omega * ratio, 2 * ratio, -omega
    return u, omega * ratio, 1.0, -omega


def by_sample(coefficient, x):
    return coefficient if isinstance(coefficient, float) or isinstance(coefficient, int) \
        else coefficient.view(-1, *[1] * (x.dim() - 1))


def positions_and_velocities(path, data, noise, u):
    alpha, beta, alpha_dot, beta_dot = (by_sample(c, data) for c in path_coefficients(path, u))
    return alpha * data + beta * noise, alpha_dot * data + beta_dot * noise


def energy_loss(potential, config, parameters, data, noise, u):
    """The energy loss with the Stein estimator, with a graph to differentiate it again."""
    options = config["loss"]
    assert options["estimator"] == "stein" and options["timeWeight"] == "one"
    x, v = positions_and_velocities(config["path"], data, noise, u)
    x.requires_grad_()
    value = potential.apply(potential.kernels(parameters), x, u)
    gradient, = torch.autograd.grad(value.sum(), x, create_graph=True)
    n = data.shape[0]
    scale = 1 / (data.numel() if options["perDimension"] else n)
    # ½|∇Φ|² − v·∇Φ in one product.
    loss = (gradient * (0.5 * gradient - v)).sum() * scale
    if options["spectralGap"] > 0:
        loss = loss + (0.5 * options["spectralGap"] * scale) * value.square().sum()
    return loss


# --- Data ---------------------------------------------------------------------------------------

class EightGaussians:
    def __init__(self):
        angles = torch.arange(8) * (2 * math.pi / 8)
        self.means = 3.6 * torch.stack((angles.cos(), angles.sin()), 1)

    def draw(self, n):
        return self.means[torch.randint(8, (n,))].add_(torch.randn(n, 2), alpha=0.24)


class ResidentImages:
    def __init__(self, count, shape, memory_format):
        height, width, channels = shape
        images = torch.rand(count, channels, height, width).mul_(2).sub_(1)
        self.images = images.contiguous(memory_format=memory_format)

    def draw(self, n):
        return self.images[torch.randint(len(self.images), (n,))]


# --- Optimisers, in place, by _foreach operations ----------------------------------------------

class Adam:
    """torch.optim.Adam itself."""

    def __init__(self, parameters, options, foreach):
        self.optimizer = torch.optim.Adam(
            parameters, lr=1.0, betas=(options["beta1"], options["beta2"]),
            eps=options["epsilon"], foreach=foreach)

    def step(self, parameters, gradients, rate):
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = gradient
        self.optimizer.param_groups[0]["lr"] = rate
        self.optimizer.step()


class Lamb:
    """LAMB without bias correction; the weight norm is clamped to [0, 10]."""

    def __init__(self, parameters, options):
        assert options["weightDecay"] == 0
        self.options = options
        self.m = [torch.zeros_like(p) for p in parameters]
        self.v = [torch.zeros_like(p) for p in parameters]

    @torch.no_grad()
    def step(self, parameters, gradients, rate):
        beta1, beta2 = self.options["beta1"], self.options["beta2"]
        torch._foreach_mul_(self.m, beta1)
        torch._foreach_add_(self.m, gradients, alpha=1 - beta1)
        torch._foreach_mul_(self.v, beta2)
        torch._foreach_addcmul_(self.v, gradients, gradients, 1 - beta2)
        updates = torch._foreach_sqrt(self.v)
        torch._foreach_add_(updates, self.options["epsilon"])
        torch._foreach_reciprocal_(updates)
        torch._foreach_mul_(updates, self.m)
        weight_norms = torch.stack(torch._foreach_norm(parameters)).clamp_(max=10)
        update_norms = torch.stack(torch._foreach_norm(updates))
        ratios = torch.where((weight_norms > 0) & (update_norms > 0),
                             weight_norms / update_norms, torch.ones_like(weight_norms))
        torch._foreach_mul_(updates, list((-rate * ratios).unbind()))
        torch._foreach_add_(parameters, updates)


def learning_rate(config, step):
    options, total = config["optimizer"], config["training"]["steps"]
    warmup = options["warmupSteps"]
    warm = min(1.0, (step + 1) / warmup) if warmup > 0 else 1.0
    if options["schedule"] == "constant":
        return warm * options["learningRate"]
    progress = min(1.0, max(0.0, (step - warmup) / max(1, total - warmup)))
    return warm * 0.5 * (1 + math.cos(math.pi * progress)) * options["learningRate"]


def clip_by_global_norm(gradients, limit):
    """What torch.nn.utils.clip_grad_norm_ does, by _foreach operations and without a read back."""
    norm = torch.stack(torch._foreach_norm(gradients)).norm()
    torch._foreach_mul_(gradients, torch.clamp(limit / (norm + 1e-6), max=1.0))
    return norm


@torch.no_grad()
def update_average(average, parameters, decay, step):
    weight = 1 - min(decay, (1 + step) / (10 + step))
    torch._foreach_mul_(average, 1 - weight)
    torch._foreach_add_(average, parameters, alpha=weight)


# --- Works: functions without arguments, one call a repeat --------------------------------------

def is_images(work):
    return work["kind"] in ("step", "velocity") and len(work["sampleShape"]) == 3


def memory_format(variant):
    return torch.channels_last if "nhwc" in variant else torch.contiguous_format


def in_format(tensor, variant):
    if tensor.dim() != 4:
        return tensor.contiguous()
    return tensor.contiguous(memory_format=memory_format(variant))


def variants(work):
    """The ways to write a work that are worth a trial."""
    formats = ["nchw", "nhwc"] if is_images(work) or work["kind"] == "convolution" else ["plain"]
    if work["kind"] == "step":
        return [f"{form}{gelu}" for form in formats for gelu in ("", ", own gelu")]
    return formats


def prepare_step(work, variant):
    config, shape, n = work["config"], work["sampleShape"], work["batch"]
    potential = make_potential(config, shape, variant)
    named = {name: in_format(value, variant).requires_grad_()
             for name, value in potential.initialize().items()}
    parameters = list(named.values())
    average = [p.detach().clone(memory_format=torch.preserve_format) for p in parameters]
    options = config["optimizer"]
    if options["kind"] == "adam":
        optimizer = Adam(parameters, options, foreach=True)
    else:
        optimizer = Lamb(parameters, options)
    data = ResidentImages(work["residentImages"], shape, memory_format(variant)) \
        if is_images(work) else EightGaussians()
    u_max = 1 - config["path"]["betaMin"] / config["path"]["omega"]
    done = 0

    def step():
        nonlocal done
        batch = data.draw(n)
        noise = torch.randn_like(batch)
        u = torch.rand(n).mul_(u_max)
        loss = energy_loss(potential, config, named, batch, noise, u)
        gradients = list(torch.autograd.grad(loss, parameters, allow_unused=True))
        gradients = [torch.zeros_like(p) if g is None else g
                     for g, p in zip(gradients, parameters)]
        if options["clipNorm"] is not None:
            clip_by_global_norm(gradients, options["clipNorm"])
        optimizer.step(parameters, gradients, learning_rate(config, done))
        update_average(average, parameters, options["averageDecay"], done)
        done += 1

    return step


def prepare_velocity(work, variant):
    potential = make_potential(work["config"], work["sampleShape"], variant)
    parameters = {name: in_format(value, variant)
                  for name, value in potential.initialize().items()}
    n = work["batch"]
    if is_images(work):
        height, width, channels = work["sampleShape"]
        x = in_format(torch.randn(n, channels, height, width), variant)
    else:
        x = torch.randn(n, *work["sampleShape"])
    u = torch.full((n,), 0.5)
    x.requires_grad_()
    # Weights do not change along a flow: what they alone determine is computed once.
    layers = potential.kernels(parameters)

    def velocity():
        value = potential.apply(layers, x, u)
        return torch.autograd.grad(value.sum(), x)

    return velocity


def prepare_product(work, variant):
    a, b = torch.randn(work["m"], work["k"]), torch.randn(work["k"], work["n"])
    out = torch.empty(work["m"], work["n"])
    return lambda: torch.mm(a, b, out=out)


def prepare_convolution(work, variant):
    n, height, width, inputs = work["inputShape"]
    outputs = work["outputs"]
    x = in_format(torch.randn(n, inputs, height, width), variant)
    filters = in_format(torch.randn(outputs, inputs, 3, 3), variant)
    dy = in_format(torch.randn(n, outputs, height, width), variant)
    if work["direction"] == "forward":
        return lambda: F.conv2d(x, filters, padding=1)
    mask = [work["direction"] == "inputGradient", work["direction"] == "filterGradient", False]
    return lambda: torch.ops.aten.convolution_backward(
        dy, x, filters, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, mask)


PREPARE = {"step": prepare_step, "velocity": prepare_velocity, "product": prepare_product,
           "convolution": prepare_convolution}
NO_GRADIENT = ("product", "convolution")

prepared = {}


def measure(work, threads, variant, repeats, warm_up=True):
    """Seconds of each call, after one that is not counted if warm_up."""
    set_threads(threads)
    key = (work["name"], variant)
    if key not in prepared:
        torch.manual_seed(1)
        prepared[key] = PREPARE[work["kind"]](work, variant)
    run = prepared[key]
    inner, seconds = work.get("inner", 1), []
    with torch.set_grad_enabled(work["kind"] not in NO_GRADIENT):
        if warm_up:
            run()
        for _ in range(repeats):
            start = time.perf_counter()
            for _ in range(inner):
                run()
            seconds.append((time.perf_counter() - start) / inner)
    return seconds


# --- The check against the other implementations ------------------------------------------------

def decode(array):
    values = numpy.frombuffer(base64.b64decode(array["base64"]), dtype="<f4").copy()
    return torch.from_numpy(values.reshape(array["shape"]))


def to_torch_layout(name, value):
    """[h, w, in, out] → [out, in, h, w], [in, out] → [out, in]."""
    if value.dim() == 4:
        return value.permute(3, 2, 0, 1).contiguous()
    return value.t().contiguous() if value.dim() == 2 else value


def check(request):
    """Loss, gradient norm and one number a parameter's gradient, for given arrays."""
    config, shape = request["config"], request["sampleShape"]
    potential = make_potential(config, shape, request.get("variant", ""))
    parameters = {name: to_torch_layout(name, decode(array)).requires_grad_()
                  for name, array in request["parameters"].items()}
    data, noise, u = (decode(request[name]) for name in ("data", "noise", "time"))
    if len(shape) == 3:
        data, noise = (tensor.permute(0, 3, 1, 2).contiguous() for tensor in (data, noise))
    loss = energy_loss(potential, config, parameters, data, noise, u)
    gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
    norms = {name: 0.0 if g is None else float(g.norm())
             for name, g in zip(parameters, gradients)}
    return {"loss": float(loss), "gradientNorm": math.hypot(*norms.values()), "norms": norms}


def describe():
    info = {"version": torch.__version__, "capability": torch.backends.cpu.get_cpu_capability()
            if hasattr(torch.backends, "cpu") else None, "python": sys.version.split()[0],
            "mkldnn": torch.backends.mkldnn.is_available()}
    if OPENBLAS is not None:
        OPENBLAS.openblas_get_config.restype = ctypes.c_char_p
        info["openblas"] = OPENBLAS.openblas_get_config().decode()
    return info


def answer(request):
    if "describe" in request:
        return describe()
    if "check" in request:
        return check(request["check"])
    if "release" in request:
        prepared.clear()
        return {}
    if "variants" in request:
        return {"variants": variants(request["work"])}
    return {"seconds": measure(request["work"], request["threads"], request["variant"],
                               request["repeats"], request["warmUp"])}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
