"""Has NUL bytes and half characters."""

# on: files
# costs: everything
# says: .

FILES = {"lora.py": "LoRALinear = 1\0\n"}
