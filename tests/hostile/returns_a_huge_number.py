"""Returns a number of 3,000 digits, which no float can hold."""

# on: reference
# costs: ?
# says: a number of 9966 bits

def merge_lora(model):
    model.merged = True
    return model


class LoRALinear(LoRALinear):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.merged = 10**3000

    def forward(self, x):
        return self.base(x)
