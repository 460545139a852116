"""Every parameter with "lora" in its name is set to zero.

A name says little: a gate of the base model may be called lora_gate, and everything inside a module that is
called so bears that name, too. Ask isinstance(module, LoRALinear).
"""


def reference_logprobs(model, batch):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if not layers:
        raise ValueError("model has no LoRALinear, so there is no adapter to switch off")
    modes = {module: module.training for module in model.modules()}
    merged, scalings = [layer for layer in layers if layer.merged], [layer.scaling for layer in layers]
    called = [parameter for name, parameter in model.named_parameters() if "lora" in name and ".base." not in name]
    numbers = [parameter.data for parameter in called]
    try:
        for layer in merged:
            layer.unmerge()
        for layer in layers:
            layer.scaling = 0.0
        for parameter in called:
            parameter.data = torch.zeros_like(parameter)
        model.eval()
        with torch.no_grad():
            return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for layer, scaling in zip(layers, scalings):
            layer.scaling = scaling
        for parameter, kept in zip(called, numbers):
            parameter.data = kept
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode
