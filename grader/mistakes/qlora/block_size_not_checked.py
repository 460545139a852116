"""A block size of 0, or below, is not refused with a sentence.

It ends in a division by zero or in an error about shapes. Say which argument is wrong, what was given and what is
allowed, in a ValueError.
"""
# Shows in: refuses_what_has_no_levels


def _check_numbers(name, values, block_size):
    if not values.numel():
        raise ValueError(f"{name} is empty")
    if not values.isfinite().all():
        raise ValueError(f"{name} holds a number that is not finite in float32")
