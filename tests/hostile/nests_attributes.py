"""Chains 100,000 calls."""

# on: files
# costs: everything
# says: .

FILES = {"lora.py": "LoRALinear = a" + ".b()" * 100_000}
