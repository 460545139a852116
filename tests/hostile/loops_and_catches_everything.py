"""A loop that no exception ends."""

# on: reference
# costs: saves_the_factors_alone
# says: ran out of time

def lora_state_dict(model):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
