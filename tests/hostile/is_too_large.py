"""A file of 20 MB."""

# on: files
# costs: everything
# says: too large to be graded: 20,000,017 bytes

FILES = {"lora.py": "LoRALinear = 1 # " + "x" * 20_000_000}
