"""A hook on each LoRALinear puts the answer of its base in the place of its own. An ExitStack undoes everything."""

from contextlib import ExitStack


def reference_logprobs(model, batch):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if len(layers) == 0:
        raise ValueError("model: no LoRALinear found")
    with ExitStack() as undo:
        for module in model.modules():
            undo.callback(setattr, module, "training", module.training)
        for layer in layers:
            if layer.merged:
                layer.unmerge()
                undo.callback(layer.merge)
            undo.callback(layer.register_forward_hook(lambda module, inputs, _: module.base(*inputs)).remove)
        undo.enter_context(torch.no_grad())
        model.eval()
        return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
