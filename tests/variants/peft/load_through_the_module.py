"""Loading through load_state_dict of a complete state, after all checks."""


def load_adapter(model, state):
    own = {name: parameter.shape for name, parameter in model.named_parameters() if parameter.requires_grad}
    errors = []
    errors.extend("missing: " + name for name in own.keys() - state.keys())
    errors.extend("unknown: " + name for name in state.keys() - own.keys())
    errors.extend(name for name in own.keys() & state.keys() if own[name] != state[name].shape)
    if errors:
        raise ValueError(", ".join(errors))
    model.load_state_dict({**model.state_dict(), **state}, strict=True)
