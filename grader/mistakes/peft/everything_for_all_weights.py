"""Everything is billed for all weights: 16 bytes a parameter, whatever is trained.

That is full fine-tuning. The saving of PEFT is just that gradients and optimizer state exist for trained
parameters alone.
"""


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if not 0 <= trainable <= total:
        raise ValueError(f"trainable must lie between 0 and total={total}")
    bill = {
        "weights": total * weight_bytes,
        "gradients": total * grad_bytes,
        "optimizer": total * optimizer_bytes,
    }
    return {**bill, "total": sum(bill.values())}
