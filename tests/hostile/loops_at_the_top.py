"""A loop without end while it is loaded."""

# on: reference
# costs: everything
# says: runs for more than

FACTOR = 1
while FACTOR:
    FACTOR += 1


def lora_state_dict(model):
    return FACTOR
