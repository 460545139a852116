"""Adam is written out, the loss is in float32, and the two halves of a batch go through the model one after the other."""


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    zero = torch.zeros(1)
    dpo_loss(zero, zero, zero, zero, beta=beta, label_smoothing=label_smoothing)  # refuses both numbers
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if not layers:
        raise ValueError("model has no LoRALinear")
    if sum(bool(layer.merged) for layer in layers):
        raise ValueError("model has a LoRALinear that is merged")
    expected = [reference_logprobs(model, batch).float() for batch in batches]
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    first, second = [torch.zeros_like(w) for w in weights], [torch.zeros_like(w) for w in weights]
    model.train()
    history = []
    for step, (batch, reference) in enumerate(zip(batches, expected), start=1):
        pairs = len(reference) // 2
        halves = [{name: tensor[rows] for name, tensor in batch.items()} for rows in (slice(pairs), slice(pairs, None))]
        sums = [sequence_logprobs(model(h["input_ids"], h["attention_mask"]).float(), h["labels"]) for h in halves]
        told = dpo_loss(*sums, reference[:pairs], reference[pairs:], beta=beta, label_smoothing=label_smoothing)
        gradients = torch.autograd.grad(told["loss"], weights, allow_unused=True, materialize_grads=True)
        if max_grad_norm is not None:
            norm = sum(gradient.square().sum() for gradient in gradients).sqrt()
            gradients = [gradient * min(1.0, max_grad_norm / (norm.item() + 1e-6)) for gradient in gradients]
        with torch.no_grad():
            for w, g, m, v in zip(weights, gradients, first, second):
                m.mul_(0.9).add_(0.1 * g)
                v.mul_(0.999).add_(0.001 * g * g)
                w -= lr * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
        margin = told["chosen_reward"].mean() - told["rejected_reward"].mean()
        names = ("loss", "margin", "chosen_logprob", "rejected_logprob")
        numbers = (told["loss"], margin, *(one.mean() for one in sums))
        history.append({"update": step, "accuracy": told["accuracy"], **{n: float(x) for n, x in zip(names, numbers)}})
    model.eval()
    return history
