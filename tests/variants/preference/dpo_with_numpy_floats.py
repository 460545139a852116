"""Adam without decay, which is AdamW without decay; every module is set by itself; the history holds floats of numpy."""

import numpy as np


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    class Refused(ValueError):
        pass

    for good, words in (
        (beta > 0, f"beta: {beta} is not above 0"),
        (0 <= label_smoothing < 0.5, f"label_smoothing: {label_smoothing} is outside of [0, 0.5)"),
        (_lora_layers(model), "model: no LoRALinear"),
        (not any(layer.merged for layer in _lora_layers(model)), "model: merged"),
    ):
        if not good:
            raise Refused(words)
    references = {number: reference_logprobs(model, batch) for number, batch in enumerate(batches)}
    optimizer = torch.optim.Adam((p for p in model.parameters() if p.requires_grad), lr=lr)
    mine = optimizer.param_groups[0]["params"]
    history = []
    for number, batch in enumerate(batches):
        for module in model.modules():
            module.training = True
        for parameter in mine:
            parameter.grad = None
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
        policy = sequence_logprobs(logits, batch["labels"]).unflatten(0, (2, -1))
        found = dpo_loss(*policy, *references[number].unflatten(0, (2, -1)), beta=beta, label_smoothing=label_smoothing)
        torch.autograd.backward(found["loss"])
        limit = float("inf") if max_grad_norm is None else max_grad_norm
        nn.utils.clip_grad_norm_(mine, limit)
        optimizer.step()
        chosen, rejected = policy.detach().numpy().astype(np.float64).mean(axis=1)
        rewards = [found[name].double().numpy() for name in ("chosen_reward", "rejected_reward")]
        history.append(
            {
                "loss": np.float64(found["loss"].item()),
                "accuracy": np.mean(rewards[0] > rewards[1]),
                "margin": np.subtract(*rewards).mean(),
                "chosen_logprob": chosen,
                "rejected_logprob": rejected,
            }
        )
    for module in model.modules():
        module.training = False
    return history
