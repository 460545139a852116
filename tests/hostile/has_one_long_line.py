"""One line of 15 MB."""

# on: files
# costs: everything
# says: .

FILES = {"lora.py": "LoRALinear = [" + "1," * 7_500_000 + "]"}
