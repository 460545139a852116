"""Nests 10,000 parentheses."""

# on: files
# costs: everything
# says: .

FILES = {"lora.py": "LoRALinear = " + "(" * 10_000 + ")" * 10_000}
