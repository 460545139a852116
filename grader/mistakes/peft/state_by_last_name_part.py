"""The tensors are saved under the last part of their names.

Every layer has a weight: they overwrite each other. Use the qualified names of named_parameters().
"""


def adapter_state_dict(model):
    return {name.rpartition(".")[2]: p.detach() for name, p in model.named_parameters() if p.requires_grad}
