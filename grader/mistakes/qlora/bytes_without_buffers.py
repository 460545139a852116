"""The bytes of buffers are not counted.

Codes and constants are buffers, so the quantised weights would take no memory at all. Add up parameters and buffers.
"""
# Shows in: counts_bytes_before_and_after


def _bytes(model):
    return sum(tensor.nbytes for tensor in model.parameters())
