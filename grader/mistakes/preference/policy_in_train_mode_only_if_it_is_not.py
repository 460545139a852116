"""model.train() is called only if the model does not say that it is training.

model.training is the mode of the outermost module alone. Some of its parts may be in eval mode. Call
model.train() always; that costs nothing.
"""
# Shows in: trains_in_train_mode_and_ends_in_eval_mode


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    _check_strength(beta, label_smoothing)
    layers = _lora_layers(model)
    if not layers or any(layer.merged for layer in layers):
        raise ValueError("model needs a LoRALinear, and none that is merged")
    references = [reference_logprobs(model, batch) for batch in batches]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    if not model.training:
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
