"""Locks files that all submissions read, in six ways."""

# on: reference
# costs: saves_the_factors_alone
# says: OSError: “locked: \[\]”

import fcntl
import os

import torch


def lora_state_dict(model):
    descriptor = os.open(torch.__file__, os.O_RDONLY)
    record = b"\0" * 32
    ways = {
        "flock": lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB),
        "lockf": lambda: fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB),
        "open": lambda: fcntl.fcntl(descriptor, 37, record),
        "lease": lambda: fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK),
        "notify": lambda: fcntl.fcntl(descriptor, fcntl.F_NOTIFY, fcntl.DN_ACCESS),
        "high": lambda: fcntl.fcntl(descriptor, fcntl.F_SETLEASE | 1 << 31, fcntl.F_RDLCK),
    }
    locked = []
    for name, way in ways.items():
        try:
            way()
            locked.append(name)
        except (OSError, OverflowError):
            pass
    raise OSError(f"locked: {locked}")
