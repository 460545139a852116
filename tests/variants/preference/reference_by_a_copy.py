"""The reference is a copy of the model in which each LoRALinear was replaced by its base. The training makes one copy for all batches."""

import copy


def base_model(model):
    copied, found = copy.deepcopy(model), 0
    for parent in list(copied.modules()):
        for name, child in list(parent._modules.items()):
            if isinstance(child, LoRALinear):
                child.unmerge()
                parent._modules[name] = child.base
                found += 1
    if not found:
        raise ValueError("there is no LoRALinear in this model")
    return copied.eval().requires_grad_(False)


def reference_logprobs(model, batch):
    return sequence_logprobs(
        base_model(model)(**{k: batch[k] for k in ("input_ids", "attention_mask")}), batch["labels"]
    )


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    if beta <= 0:
        raise ValueError(f"beta is {beta} and must be positive")
    if label_smoothing < 0 or label_smoothing >= 0.5:
        raise ValueError(f"label_smoothing is {label_smoothing} and must be in [0, 0.5)")
    if any(module.merged for module in model.modules() if isinstance(module, LoRALinear)):
        raise ValueError("model has a merged layer")
    reference = base_model(model)
    if len(batches) == 0:
        return []
    optimizer, history = (
        torch.optim.AdamW(filter(lambda p: p.requires_grad, model.parameters()), lr, weight_decay=0),
        [],
    )
    for batch in batches:
        model.train()
        with torch.no_grad():
            expected = sequence_logprobs(reference(batch["input_ids"], batch["attention_mask"]), batch["labels"])
        half = len(expected) // 2
        sums = sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
        found = dpo_loss(
            sums[:half], sums[half:], expected[:half], expected[half:], beta=beta, label_smoothing=label_smoothing
        )
        model.zero_grad()
        found["loss"].backward()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
        optimizer.step()
        model.eval()
        history.append({"loss": float(found["loss"]), "accuracy": found["accuracy"]})
        history[-1]["margin"] = float((found["chosen_reward"] - found["rejected_reward"]).mean())
        history[-1]["chosen_logprob"], history[-1]["rejected_logprob"] = (
            sums.detach().view(2, half).mean(dim=1).tolist()
        )
    return history
