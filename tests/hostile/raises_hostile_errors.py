"""Raises an error whose words cannot be had, and whose kind lies about its name."""

# on: reference
# costs: saves_the_factors_alone
# says: ended its process|Hostile|Tampered|SystemExit

class Kind(type):
    @property
    def __name__(cls):
        return ["Tampered"]


class Hostile(Exception, metaclass=Kind):
    def __str__(self):
        raise SystemExit(0)


def lora_state_dict(model):
    raise Hostile
