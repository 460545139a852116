"""How observations travel from the child that runs a learner's code: as data that cannot carry code.

The bytes are those of a safetensors file. The tensors of the value are its tensors, and the rest is JSON in its
metadata. Reading it never runs anything, whoever has written it.
"""

import json

import torch
from safetensors import SafetensorError, TensorSpec, serialize
from safetensors.torch import load

MOST_BYTES = 16 * 2**20  # of one message; the largest that a check sends is far below 1 MB
DEEPEST = 30  # lists and dicts in one another; a check sends 4
LARGEST = 2**63  # of whole numbers: Python's own have no end, and cannot be compared with others
PLAIN = (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.int32, torch.int16,
         torch.int8, torch.uint8, torch.bool)  # fmt: skip


class Unreadable(ValueError):
    """The bytes are no message."""


def dumps(value) -> bytes:
    """The bytes of a value made of tensors, numbers, strings, None, lists and dicts with strings as keys."""
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(_to_json(value, tensors))
    # Not by `safetensors.torch.save`: it needs `ctypes.cast`, which is kept from strangers' code.
    return bytes(serialize({name: _spec(tensor) for name, tensor in tensors.items()}, {"value": text}))


def _spec(tensor: torch.Tensor) -> TensorSpec:
    kind = str(tensor.dtype).removeprefix("torch.")
    return TensorSpec(dtype=kind, shape=tensor.shape, data_ptr=tensor.data_ptr(), data_len=tensor.nbytes)


def loads(data: bytes):
    """The value. Unreadable if the bytes are anything but a message of at most MOST_BYTES."""
    if len(data) > MOST_BYTES:
        raise Unreadable(f"a message of {len(data):,} bytes")
    try:
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return _from_json(json.loads(header["__metadata__"]["value"]), tensors)
    except (SafetensorError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RuntimeError) as error:
        raise Unreadable(f"no message: {type(error).__name__}") from None


def _to_json(value, tensors: dict):
    """Tensors are put into `tensors`. Each container says what it is, so that no string can pass for one."""
    if isinstance(value, torch.Tensor):
        if value.dtype not in PLAIN or value.layout != torch.strided:
            return f"a tensor of {value.dtype}, {value.layout}"
        name = str(len(tensors))
        tensors[name] = value.clone(memory_format=torch.contiguous_format)  # safetensors refuses shared memory
        return {"tensor": name}
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, dict):
        return {"dict": [[key, _to_json(item, tensors)] for key, item in value.items()]}
    if isinstance(value, list):
        return [_to_json(item, tensors) for item in value]
    return value


def _whole(text: str) -> str:
    """Without halves of characters, which cannot be written into a file."""
    return text.encode("utf-8", "replace").decode()


def _from_json(data, tensors: dict, depth: int = 0):
    if depth > DEEPEST or (isinstance(data, int) and abs(data) > LARGEST):
        raise ValueError("nested too deep, or a number that is too large")
    if isinstance(data, str):
        return _whole(data)
    if isinstance(data, list):
        return [_from_json(item, tensors, depth + 1) for item in data]
    if not isinstance(data, dict):
        return data
    ((kind, content),) = data.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "complex":
            return complex(*content)
        case "dict":
            return {_whole(key): _from_json(item, tensors, depth + 1) for key, item in content}
    raise ValueError(kind)
