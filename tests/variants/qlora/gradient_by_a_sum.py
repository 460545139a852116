"""The output of the embeddings gets a gradient through a zero that requires one, added by a hook with a mark of its own."""


class AskForAGradient:
    def __call__(self, module, inputs, output):
        return output + torch.zeros((), dtype=output.dtype, requires_grad=True)


def prepare_for_training(model):
    if not callable(getattr(model, "get_input_embeddings", None)):
        raise ValueError("model has no get_input_embeddings(), which prepare_for_training needs")
    for parameter in model.parameters():
        parameter.requires_grad = False
        if parameter.is_floating_point() and parameter.element_size() == 2:
            parameter.data = parameter.data.to(torch.float32)
    hooks = model.get_input_embeddings()._forward_hooks
    if not any(isinstance(hook, AskForAGradient) for hook in hooks.values()):
        model.get_input_embeddings().register_forward_hook(AskForAGradient())
    return model
