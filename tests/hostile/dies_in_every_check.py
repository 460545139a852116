"""Ends its process in every check."""

# on: reference
# costs: ?
# says: ended its process|left no time

import os


class LoRALinear(LoRALinear):
    def __init__(self, *arguments, **options):
        os._exit(1)
