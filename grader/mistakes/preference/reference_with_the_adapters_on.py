"""The reference is asked with its adapters on, so it is the policy itself.

The reference then moves with the policy, every log-ratio is 0, and the loss stays at log 2. Each LoRALinear
must answer like its base while the reference is asked.
"""


def reference_logprobs(model, batch):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if not layers:
        raise ValueError("model has no LoRALinear, so there is no adapter to switch off")
    modes = {module: module.training for module in model.modules()}
    try:
        model.eval()
        with torch.no_grad():
            return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for module, mode in modes.items():
            module.training = mode
