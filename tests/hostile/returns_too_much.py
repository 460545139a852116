"""Returns a million names."""

# on: reference
# costs: saves_the_factors_alone
# says: at most 131,072 are allowed|out of time|MemoryError

def lora_state_dict(model):
    return {f"a name that is not short {number}": model.head.weight for number in range(10**5)}
