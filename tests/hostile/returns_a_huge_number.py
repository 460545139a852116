"""Returns a number of 3,000 digits, which no float can hold."""

# on: reference
# costs: ?
# says: a number of 9966 bits

def inject_lora(model, *arguments, inject=inject_lora, **options):
    inject(model, *arguments, **options)
    return [10**3000]
