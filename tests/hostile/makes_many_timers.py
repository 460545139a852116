"""Makes timers of the kernel without end."""

# on: reference
# costs: saves_the_factors_alone
# says: OSError: “\d\d? timers”|may not use

import ctypes


def lora_state_dict(model):
    libc, count, timer = ctypes.CDLL(None), 0, ctypes.c_void_p()
    while count < 10**5 and libc.timer_create(1, None, ctypes.byref(timer)) == 0:
        count += 1
    raise OSError(f"{count} timers")
