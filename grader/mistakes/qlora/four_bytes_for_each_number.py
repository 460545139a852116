"""Each number is counted with four bytes.

Codes take one byte for two numbers, and a model in bfloat16 takes two bytes for one. Use tensor.nbytes.
"""
# Shows in: counts_bytes_before_and_after


def _bytes(model):
    return sum(4 * tensor.numel() for tensor in chain(model.parameters(), model.buffers()))
