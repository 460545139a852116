"""A file whose 3,000 statements need each other, last to first."""

# on: files
# costs: everything
# says: .

FILES = {"lora.py": "\n".join(f"a{n} = a{n + 1}" for n in range(3000)) + "\na3000 = 1\nLoRALinear = a0\n"}
