"""Returns lists that are nested 500 deep."""

# on: reference
# costs: wraps_the_targets matches_the_whole_last_name_part second_call_wraps_nothing_twice earlier_factors_stay_trainable refuses_targets_that_match_nothing model_answers_as_before
# says: nested more than 20 deep

def inject_lora(model, *arguments, inject=inject_lora, **options):
    names = inject(model, *arguments, **options)
    nested = []
    for _ in range(500):
        nested = [nested]
    return [*names, nested]
