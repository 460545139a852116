"""Looks for the channel among all objects of the process."""

# on: blank
# costs: everything
# says: may not use gc.get_objects

import gc


def answer(kind):
    (channel,) = [each for each in gc.get_objects() if type(each).__name__ == "Channel"]
    for _ in range(60):
        channel.send_bytes(b"")


LoRALinear = answer(LoRALinear)
