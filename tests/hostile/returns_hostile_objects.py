"""Returns objects that are equal to everything, that cannot be shown and that run code where they are unpacked."""

# on: reference
# costs: saves_the_factors_alone
# says: missing|too many

import os


class Hostile:
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __str__(self):
        raise MemoryError

    __repr__ = __str__

    def __reduce__(self):
        return os.system, ("touch CANARY/left",)

    def __reduce_ex__(self, protocol):
        return self.__reduce__()


class Words(str):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0


def lora_state_dict(model):
    return {Words("a"): Hostile(), "b": Hostile()}
