"""Returns a dict and a list whose content is another one at each look."""

# on: reference
# costs: saves_the_factors_alone
# says: missing|expected

import itertools

COUNT = itertools.count()


class Lazy(dict):
    def items(self):
        return [(f"name {next(COUNT)}", next(COUNT))]

    def __iter__(self):
        return iter([f"name {next(COUNT)}"])

    def __len__(self):
        return next(COUNT)

    def __getitem__(self, name):
        return [next(COUNT)]


def lora_state_dict(model):
    return Lazy()
