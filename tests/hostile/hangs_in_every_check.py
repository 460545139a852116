"""Sleeps in every check."""

# on: reference
# costs: ?
# says: ran out of time|left no time

import time


class LoRALinear(LoRALinear):
    def __init__(self, *arguments, **options):
        time.sleep(1000)
