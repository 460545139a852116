"""Ends each check just before its limit."""

# on: reference
# costs: ?
# says: left no time|Not tried

import time

honest = LoRALinear.__init__


def __init__(self, *arguments, **options):
    time.sleep(1.5)
    honest(self, *arguments, **options)


LoRALinear.__init__ = __init__
