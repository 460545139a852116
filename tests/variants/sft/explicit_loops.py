"""Loops over rows and tokens, in plain Python wherever that works."""


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    input_ids, labels = [], []
    for token in prompt_ids:
        input_ids.append(token)
        labels.append(-100)
    for token in list(response_ids) + [eos_id]:
        input_ids.append(token)
        labels.append(token)
    del input_ids[max_length:], labels[max_length:]
    if max_length <= len(prompt_ids):
        raise ValueError("max_length is too small for this prompt")
    return {"labels": labels, "input_ids": input_ids}


def collate(examples, *, pad_id):
    if len(examples) == 0:
        raise ValueError("got no examples")
    size = (len(examples), max(len(e["labels"]) for e in examples))
    batch = {
        "input_ids": torch.full(size, pad_id),
        "attention_mask": torch.zeros(size, dtype=torch.int64),
        "labels": torch.full(size, -100),
    }
    for row, e in enumerate(examples):
        for column, (token, label) in enumerate(zip(e["input_ids"], e["labels"])):
            batch["input_ids"][row, column] = token
            batch["attention_mask"][row, column] = 1
            batch["labels"][row, column] = label
    return batch


def sft_loss(logits, labels):
    log_probabilities = torch.log_softmax(logits.float(), dim=-1)
    total, count = logits.float().sum() * 0, 0
    for row in range(labels.shape[0]):
        for t in range(labels.shape[1] - 1):
            if labels[row, t + 1] != -100:
                total = total - log_probabilities[row, t, labels[row, t + 1]]
                count += 1
    return total / max(count, 1)


def evaluate(model, batches):
    modules, losses, hits = list(model.modules()), [], []
    modes = [module.training for module in modules]
    try:
        model.eval()
        for batch in batches:
            with torch.inference_mode():
                best = model(batch["input_ids"], batch["attention_mask"])
            for row in range(len(best)):
                for t in range(best.shape[1] - 1):
                    label = batch["labels"][row, t + 1]
                    if label != -100:
                        losses.append(-torch.log_softmax(best[row, t], dim=-1)[label].item())
                        hits.append(float(best[row, t].argmax() == label))
    finally:
        for module, mode in zip(modules, modes):  # from the outside in, so train() does no harm
            module.train(mode)
    if not losses:
        raise ValueError("batches have nothing to predict")
    return {"token_accuracy": sum(hits) / len(hits), "loss": sum(losses) / len(losses)}
