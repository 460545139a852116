"""Raises errors of 100 MB, with half characters and control characters, and with a kind of 1 MB."""

# on: reference
# costs: saves_the_factors_alone
# says: KindKind

def lora_state_dict(model):
    raise type("Kind" * 1000, (Exception,), {})("\ud800 \x00 \x1b[2J " + "x" * 10**8)
