"""evaluate works on a copy of the model, and tells more than it must; the results are numbers of numpy."""

import numpy as np


@torch.inference_mode()
def evaluate(model, batches):
    copied = copy.deepcopy(model).eval()
    rows = []
    for batch in batches:
        for ids, mask, labels in zip(batch["input_ids"], batch["attention_mask"], batch["labels"]):
            logits = copied(ids[None], mask[None])[0, :-1].float()
            scored = labels[1:] != IGNORE_INDEX
            losses = -logits.log_softmax(dim=-1)[scored].gather(1, labels[1:][scored, None])
            rows.append((losses.sum().item(), (logits.argmax(dim=-1) == labels[1:])[scored].sum().item(), scored.sum().item()))
    loss, right, total = np.sum(rows, axis=0, dtype=np.float64) if rows else np.zeros(3)
    if total < 1:
        raise ValueError("batches: no label to evaluate on")
    return {"loss": loss / total, "token_accuracy": right / total, "perplexity": np.exp(loss / total), "tokens": int(total)}
