"""Nests 100,000 minus signs."""

# on: files
# costs: everything
# says: .

FILES = {"lora.py": "LoRALinear = " + "-" * 100_000 + "1"}
