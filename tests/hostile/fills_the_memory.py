"""Takes memory without end."""

# on: reference
# costs: saves_the_factors_alone
# says: MemoryError|too much memory|ended its process|ran out of time

def lora_state_dict(model):
    kept = []
    while True:
        kept.append(bytearray(b"x" * 2**24))
