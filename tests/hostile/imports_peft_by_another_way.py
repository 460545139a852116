"""Asks the import system for PEFT, in four ways."""

# on: reference
# costs: saves_the_factors_alone
# says: OSError: “found \[\]”

import importlib
import sys


def lora_state_dict(model):
    ways = {
        "import_module": lambda: importlib.import_module("peft"),
        "__import__": lambda: __import__("peft"),
        "exec": lambda: exec("import peft", {}),
        "find_spec": lambda: importlib.util.find_spec("peft").loader.load_module("peft"),
    }
    found = []
    for name, way in ways.items():
        try:
            way()
            found.append(name)
        except (ImportError, AttributeError):
            pass
    raise OSError(f"found {found}")
