"""A tensor that two modules share is counted twice.

state_dict() lists it under each of its names, but it is in memory once. model.parameters() and model.buffers() give
it once.
"""
# Shows in: counts_bytes_before_and_after


def _bytes(model):
    return sum(tensor.nbytes for tensor in model.state_dict().values())
