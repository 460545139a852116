"""Prints without end."""

# on: reference
# costs: saves_the_factors_alone
# says: printed more than 1,000,000 characters

def lora_state_dict(model):
    while True:
        print("x" * 10_000)
