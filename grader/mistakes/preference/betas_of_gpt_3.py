"""Adam's second beta is 0.95.

That is what large pretraining runs use, where gradients change fast. Here the contract keeps 0.9 and 0.999.
"""
# Shows in: updates_are_those_of_adamw_without_decay


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    _check_strength(beta, label_smoothing)
    layers = _lora_layers(model)
    if not layers or any(layer.merged for layer in layers):
        raise ValueError("model needs a LoRALinear, and none that is merged")
    references = [reference_logprobs(model, batch) for batch in batches]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=lr, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.0)
    model.train()
    history = []
    for batch, reference in zip(batches, references):
        optimizer.zero_grad()
        logprobs = sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
        chosen, rejected = logprobs.chunk(2)
        result = dpo_loss(chosen, rejected, *reference.chunk(2), beta=beta, label_smoothing=label_smoothing)
        result["loss"].backward()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(trained, max_grad_norm)
        optimizer.step()
        history.append(
            {
                "loss": result["loss"].item(),
                "accuracy": result["accuracy"],
                "margin": (result["chosen_reward"] - result["rejected_reward"]).mean().item(),
                "chosen_logprob": chosen.mean().item(),
                "rejected_logprob": rejected.mean().item(),
            }
        )
    model.eval()
    return history
