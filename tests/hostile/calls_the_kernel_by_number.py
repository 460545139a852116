"""Makes calls by their numbers that a solution does not need."""

# on: reference
# costs: saves_the_factors_alone
# says: OSError: “allowed: \[\]”|may not use

import ctypes


def lora_state_dict(model):
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = {"statmount": 457, "listmount": 458, "io_uring_setup": 425, "pidfd_send_signal": 424, "clone3": 435, "memfd_secret": 447}
    raise OSError(f"allowed: {[name for name, number in numbers.items() if libc.syscall(number, 0, 0, 0, 0) >= 0]}")
