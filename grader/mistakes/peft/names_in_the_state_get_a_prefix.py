"""The names in the state get a prefix.

DataParallel and the files of PEFT have one, and whoever loads must take it off. The contract wants the names of named_parameters().
"""


def adapter_state_dict(model):
    return {f"base_model.model.{name}": p.detach() for name, p in model.named_parameters() if p.requires_grad}
