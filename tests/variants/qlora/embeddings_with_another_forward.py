"""prepare_for_training replaces the forward of the embeddings instead of adding a hook, and makes new parameters."""


def prepare_for_training(model):
    try:
        embeddings = model.get_input_embeddings()
    except AttributeError:
        raise ValueError(f"model must have get_input_embeddings(), got a {type(model).__name__}") from None
    new = {}
    for module in list(model.modules()):
        for name, parameter in list(module.named_parameters(recurse=False)):
            half = parameter.dtype in (torch.float16, torch.bfloat16)
            if id(parameter) not in new:
                numbers = parameter.detach().float() if half else parameter.detach()
                new[id(parameter)] = nn.Parameter(numbers, requires_grad=False), parameter
            setattr(module, name, new[id(parameter)][0])
    if not getattr(embeddings, "asks_for_a_gradient", False):
        old = embeddings.forward
        embeddings.forward = lambda *args, **options: old(*args, **options).requires_grad_()
        embeddings.asks_for_a_gradient = True
    return model
