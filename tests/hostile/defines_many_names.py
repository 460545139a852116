"""Defines 100,000 names, so that those that are missing are looked for among them."""

# on: reference
# costs: everything

exec("\n".join(f"LoRALinear{number} = lora_state_dict{number} = 1" for number in range(10**5)))
for LoRALinear in range(10**6):
    pass
