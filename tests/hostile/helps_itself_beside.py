"""Brings a module beside it that imports what it may not import itself."""

# on: files
# costs: everything
# says: (?s)helper|peft

FILES = {
    "lora.py": "from helper import LoRALinear as Given\n\n\nclass LoRALinear(Given):\n    pass\n",
    "helper.py": "from peft.tuners.lora import Linear as LoRALinear\n",
}
