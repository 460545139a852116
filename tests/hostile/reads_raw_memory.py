"""Reads the memory of the process by addresses."""

# on: reference
# costs: saves_the_factors_alone
# says: OSError: “read: \[\]”

import ctypes


def lora_state_dict(model):
    ways = {
        "string_at": lambda: ctypes.string_at(id(model), 16),
        "cast": lambda: ctypes.cast(id(model), ctypes.POINTER(ctypes.c_int))[0],
        "from_address": lambda: ctypes.py_object.from_address(id(model)),
        "from_buffer": lambda: ctypes.POINTER(ctypes.c_int).from_buffer(bytearray(id(model).to_bytes(8, "little")))[0],
        "memmove": lambda: ctypes.memmove(bytearray(8), id(model), 8),
        "library": lambda: ctypes.CDLL(None).getpid(),
        "python": lambda: ctypes.pythonapi.PyEval_GetLocals(),
    }
    read = []
    for name, way in ways.items():
        try:
            way()
            read.append(name)
        except (PermissionError, TypeError, AttributeError):
            pass
    raise OSError(f"read: {read}")
