"""Shapes are not compared, and copy_ broadcasts.

A tensor of shape (1, r) fills a whole (out, r) factor without a word. Compare shapes first.
"""


@torch.no_grad()
def load_lora_state_dict(model, state):
    factors = _lora_parameters(model)
    wrong = [name for name in {**factors, **state} if name not in factors or name not in state]
    if wrong:
        raise ValueError(f"missing or unexpected: {', '.join(wrong)}")
    for name, factor in factors.items():
        factor.copy_(state[name])
