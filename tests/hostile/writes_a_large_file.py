"""Writes one file without end."""

# on: reference
# costs: saves_the_factors_alone
# says: OSError.*File too large

def lora_state_dict(model):
    with open("/tmp/large", "wb") as file:
        while True:
            file.write(bytes(2**20))
