"""Answers every import itself."""

# on: reference
# costs: nothing

import sys


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        raise ImportError(f"{name} is not for you")


def hook(function):
    sys.meta_path.insert(0, Finder)
    sys.path.insert(0, "/tmp")
    return function


lora_state_dict = hook(lora_state_dict)
