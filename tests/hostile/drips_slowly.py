"""Sends its message byte by byte."""

# on: blank
# costs: everything
# says: runs for more than|written into|wrote into

import os
import stat
import time

for descriptor in range(64):
    try:
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            for byte in (10_000).to_bytes(4, "big") + bytes(10_000):
                os.write(descriptor, bytes([byte]))
                time.sleep(0.05)
    except OSError:
        pass


class LoRALinear(LoRALinear):
    drip = descriptor
