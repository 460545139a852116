"""Loading sets the data of the parameters to a converted copy; anything that is wrong is told at once."""


def load_adapter(model, state):
    own = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    wrong = sorted({name for name, _ in own} ^ set(state))
    wrong += [name for name, p in own if name in state and tuple(p.size()) != tuple(state[name].size())]
    if wrong:
        raise ValueError("state does not belong to this model, see " + " ".join(wrong))
    for name, p in own:
        p.data = state[name].detach().to(dtype=p.dtype, device=p.device, copy=True)
