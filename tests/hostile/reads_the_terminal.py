"""Opens the terminal, the devices and the shared memory."""

# on: reference
# costs: saves_the_factors_alone
# says: OSError: “?opened \[\]

import os


def lora_state_dict(model):
    opened = []
    for name in ("/dev/tty", "/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/shm/x", "/dev/mqueue/x", "/sys/kernel"):
        try:
            os.open(name, os.O_RDWR | os.O_CREAT)
            opened.append(name)
        except OSError:
            pass
    raise OSError(f"opened {opened}")
