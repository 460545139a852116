"""A loop in C, which no Python exception ends."""

# on: reference
# costs: saves_the_factors_alone
# says: ran out of time|MemoryError

def lora_state_dict(model):
    return 3 ** (10**9)
