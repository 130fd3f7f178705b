"""Files that torch.save and pickle wrote, in base64 as JSON on standard output.

    python3 -B tests/reference/torch_checkpoints.py > tests/fixtures/torch_checkpoints.json

"checkpoints": by name a file, and of each tensor in it dtype, shape and values.
"refused": by name a file, and the word that the message has to have.
"pickles": by name a pickle of plain values, and what it holds.
"""

import base64
import collections
import io
import json
import pickle
import re
import sys
import zipfile

import torch

torch.manual_seed(0)


def saved(value, legacy, protocol=2):
    buffer = io.BytesIO()
    torch.save(
        value,
        buffer,
        pickle_protocol=protocol,
        _use_new_zipfile_serialization=not legacy,
    )
    return buffer.getvalue()


def text(data):
    return base64.b64encode(data).decode()


def described(tensor):
    values = tensor.detach().to(torch.float64).contiguous().flatten().tolist()
    return {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "values": [
            str(value) if value != value or abs(value) == float("inf") else value
            for value in values
        ],
    }


def network():
    module = torch.nn.Sequential(
        torch.nn.Conv2d(2, 3, (1, 3), bias=False), torch.nn.BatchNorm2d(3)
    )
    return module.state_dict()


def dtypes():
    tensors = {
        str(dtype).removeprefix("torch."): torch.tensor([-2.5, 0, 1, 3.75]).to(dtype)
        for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16)
    }
    for dtype in (torch.int64, torch.int32, torch.int16, torch.int8):
        name = str(dtype).removeprefix("torch.")
        tensors[name] = torch.tensor([-100, 0, 1, 127], dtype=dtype)
    tensors["uint8"] = torch.tensor([0, 1, 255], dtype=torch.uint8)
    tensors["bool"] = torch.tensor([True, False, True])
    tensors["special"] = torch.tensor(
        [float("inf"), -float("inf"), float("nan"), -0.0, 6e-8, 65504], dtype=torch.float16
    )
    tensors["large"] = torch.tensor([2**40, -(2**62)])
    return tensors


def views():
    base = torch.arange(24, dtype=torch.float32)
    matrix = base.reshape(4, 6)
    return {
        "whole": base,
        "reshaped": base.reshape(2, 3, 4),
        "transposed": matrix.t(),
        "permuted": base.reshape(2, 3, 4).permute(2, 0, 1),
        "column": matrix[:, 2],
        "inner": matrix[1:3, 2:5],
        "every second": base[1::2],
        "expanded": base[3:4].expand(2, 5),
        "scalar": base[7],
        "empty": torch.zeros(0, 3),
        "one by one": base[5].reshape(1, 1, 1),
        "channels last": torch.arange(16.0)
        .reshape(1, 2, 2, 4)
        .to(memory_format=torch.channels_last),
    }


def nested():
    inner = collections.OrderedDict(a=torch.ones(2), b={"c": torch.zeros(1, 1)})
    second = {3: torch.full((1,), 7.0)}
    return {"first": inner, "second": second, "epoch": 5, "name": "x", "none": None}


def wrapped():
    return {
        "epoch": 12,
        "loss": 0.25,
        "state_dict": network(),
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999)}]},
    }


def parameters():
    return {
        "weight": torch.nn.Parameter(torch.tensor([[1.0, 2.0]])),
        "bias": torch.nn.Parameter(torch.zeros(1), requires_grad=False),
    }


def checkpoints():
    made = {
        "network": (network(), network()),
        "dtypes": (dtypes(), dtypes()),
        "views": (views(), views()),
        "nested": (
            nested(),
            {
                "first.a": torch.ones(2),
                "first.b.c": torch.zeros(1, 1),
                "second.3": torch.full((1,), 7.0),
            },
        ),
        "parameters": (parameters(), parameters()),
    }
    state = wrapped()
    made["wrapped"] = (state, state["state_dict"])
    result = {}
    for name, (value, tensors) in made.items():
        expected = {key: described(tensor) for key, tensor in tensors.items()}
        for layout in ("zip", "legacy"):
            data = saved(value, layout == "legacy")
            # Random values differ from call to call: described is what is in the file.
            loaded = torch.load(io.BytesIO(data))
            if name in ("network", "wrapped"):
                inner = loaded["state_dict"] if name == "wrapped" else loaded
                expected = {key: described(tensor) for key, tensor in inner.items()}
            result[f"{name}, {layout}"] = {"file": text(data), "tensors": expected}
    for protocol in (1, 3, 4, 5):  # protocol 0 has no persistent ids that PyTorch could read again
        for layout in ("zip", "legacy"):
            data = saved({"x": torch.tensor([1.5, -2.0])}, layout == "legacy", protocol)
            result[f"protocol {protocol}, {layout}"] = {
                "file": text(data),
                "tensors": {"x": described(torch.tensor([1.5, -2.0]))},
            }
    return result


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


class WithState:
    pass


def refused():
    import os

    import numpy as np

    hostile = {
        "os.system": (Calls(os.system, "true"), "posix.system"),
        "eval": (Calls(eval, "1"), "eval"),
        "getattr": (Calls(getattr, "x", "upper"), "getattr"),
        "torch.load": (Calls(torch.load, "x.pth"), "torch.serialization.load"),
        "numpy": ({"x": np.arange(3.0)}, "numpy.core.multiarray._reconstruct"),
        "numpy scalar": ({"x": np.float64(1)}, "numpy.core.multiarray.scalar"),
        "module": (torch.nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
        "instance": ({"x": WithState()}, "WithState"),
        "sparse": (
            {"x": torch.eye(2).to_sparse()},
            "torch._utils._rebuild_sparse_tensor",
        ),
        "complex": ({"x": torch.ones(1, dtype=torch.complex64)}, "torch.ComplexFloatStorage"),
        "dtype": ({"x": torch.ones(1), "dtype": torch.float32}, "torch.float32"),
        "set": ({"x": {1, 2}}, "set"),
        "no tensors": ({"x": 1}, "0 tensors"),
        "one tensor": (torch.ones(1), "0 tensors"),
        "list": ([torch.ones(1)], "0 tensors"),
    }
    result = {}
    for name, (value, word) in hostile.items():
        for layout in ("zip", "legacy"):
            data = saved(value, layout == "legacy")
            result[f"{name}, {layout}"] = {"file": text(data), "word": word}
        if isinstance(value, Calls):
            for protocol in (0, 1, 2, 4):
                bare = pickle.dumps(value, protocol)
                result[f"{name}, bare, protocol {protocol}"] = {"file": text(bare), "word": word}
    result.update(rewritten())
    # Instructions that Python itself writes no more.
    result["INST"] = {"file": text(b"(S'true'\nios\nsystem\n."), "word": "os.system"}
    result["OBJ"] = {"file": text(b"(cos\nsystem\nS'true'\no."), "word": "os.system"}
    result["NEWOBJ"] = {"file": text(b"\x80\x02cos\nsystem\n)\x81."), "word": "os.system"}
    result["NEWOBJ_EX"] = {
        "file": text(b"\x80\x04\x8c\x02os\x8c\x06system\x93)}\x92."),
        "word": "os.system",
    }
    result["EXT1"] = {"file": text(b"\x80\x02\x82\x07)R."), "word": "extension 7"}
    result["EXT4"] = {"file": text(b"\x80\x02\x84\x07\0\0\0)R."), "word": "extension 7"}
    result["STACK_GLOBAL by memo"] = {
        "file": text(b"\x80\x04\x8c\x05posix\x94\x8c\x06system\x94h\0h\1\x93\x8c\4true\x85R."),
        "word": "posix.system",
    }
    result["dotted name"] = {
        "file": text(b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93)R."),
        "word": "collections.OrderedDict.__init__",
    }
    return result


def rewritten():
    """Archives and files that torch.save would not write."""
    result = {}
    good = saved({"x": torch.arange(4.0)}, False)

    def archive(compression=zipfile.ZIP_STORED, change=lambda name, data: data, extra=None):
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(good)) as source:
            with zipfile.ZipFile(buffer, "w", compression) as target:
                for name in source.namelist():
                    data = change(name, source.read(name))
                    if data is not None:
                        target.writestr(name, data)
                for name, data in (extra or {}).items():
                    target.writestr(name, data)
        return text(buffer.getvalue())

    result["compressed"] = {"file": archive(zipfile.ZIP_DEFLATED), "word": "compressed by method 8"}
    bomb = lambda name, data: bytes(1 << 22) if "/data/" in name else data
    result["bomb"] = {"file": archive(zipfile.ZIP_DEFLATED, bomb), "word": "compressed by method 8"}
    result["big-endian archive"] = {
        "file": archive(extra={"archive/byteorder": b"big"}),
        "word": 'byteorder "big"',
    }
    short = lambda name, data: data[:-1] if "/data/" in name else data
    result["short storage"] = {"file": archive(change=short), "word": "15 bytes long; expected 16"}
    without = lambda name, data: None if "/data/" in name else data
    result["no storage"] = {"file": archive(change=without), "word": "is missing"}
    no_pickle = lambda name, data: None if name.endswith("pkl") else data
    result["no pickle"] = {"file": archive(change=no_pickle), "word": "without data.pkl"}

    legacy = saved({"x": torch.arange(4.0)}, True)
    big = re.sub(rb"(little_endianq.)\x88", lambda match: match[1] + b"\x89", legacy)
    assert big != legacy
    result["big-endian file"] = {"file": text(big), "word": "little_endian"}
    result["another number"] = {
        "file": text(legacy.replace(b"\x6c\xfc\x9c", b"\x6c\xfc\x9d")),
        "word": "begins with another pickle",
    }
    result["another version"] = {
        "file": text(legacy.replace(b"\x80\x02M\xe9\x03.", b"\x80\x02M\xea\x03.")),
        "word": "version",
    }
    result["cut short"] = {"file": text(legacy[:-1]), "word": "bytes long; expected"}
    # shape (4,): BININT1 4, TUPLE1, BINPUT; stride (1,): BININT1 1, TUPLE1
    for name, old, new in (
        ("shape beyond the storage", b"K\x04\x85", b"K\x05\x85"),
        ("huge shape", b"K\x04\x85", b"J\xff\xff\xff\x7f\x85"),
        ("negative shape", b"K\x04\x85", b"J\xff\xff\xff\xff\x85"),
        ("fractional shape", b"K\x04\x85", b"G\x40\x02\0\0\0\0\0\0\x85"),
        ("long shape", b"K\x04\x85", b"\x8a\x09\0\0\0\0\0\0\0\0\1\x85"),
        ("stride beyond the storage", b"K\x01\x85", b"K\x02\x85"),
        ("negative stride", b"K\x01\x85", b"J\xff\xff\xff\xff\x85"),
        ("two strides", b"K\x01\x85", b"K\x01K\x01\x86"),
        ("endless expansion", b"K\x04\x85q", b"J\0\0\0\x10\x85q"),
    ):
        changed = legacy.replace(old, new)
        assert changed != legacy, name
        if name == "endless expansion":
            changed = changed.replace(b"K\x01\x85", b"K\0\x85")
        word = "stride" if "stride" in name else "shape"
        word = "something else" if name == "long shape" else word
        result[name] = {"file": text(changed), "word": word}
    return result


def pickles():
    value = {
        "none": None,
        "truth": [True, False],
        "whole": [0, 1, -1, 255, 256, 65535, 65536, -(2**31), 2**31 - 1, 2**53 - 1],
        "long": [2**53, -(2**53), 2**63, -(2**63), 2**80 + 1],
        "float": [0.5, -1e300, 1e-7],
        "text": ["", "plain", "käse \u20ac \U0001f600", 'quotes " and \'', "line\nline\\"],
        "tuples": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)],
        "lists": [[], [1], list(range(5))],
        "dictionaries": [{}, {"a": {"b": 1}}],
        "ordered": collections.OrderedDict([("z", 1), ("a", 2)]),
    }
    shared = ["shared"]
    value["shared"] = [shared, shared]
    result = {f"protocol {p}": text(pickle.dumps(value, p)) for p in range(6)}
    return result


json.dump(
    {
        "torch": torch.__version__,
        "python": sys.version.split()[0],
        "checkpoints": checkpoints(),
        "refused": refused(),
        "pickles": pickles(),
    },
    sys.stdout,
    separators=(",", ":"),
)
