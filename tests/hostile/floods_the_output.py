"""Prints without end."""

# on: reference
# costs: saves_the_factors_alone
# says: ran out of time

def lora_state_dict(model):
    while True:
        print("x" * 10_000)
