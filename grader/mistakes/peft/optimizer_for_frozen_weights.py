"""Optimizer state is billed for frozen weights, too.

An optimizer keeps moments only for what it has updated. Multiply by the trainable ones.
"""


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if not 0 <= trainable <= total:
        raise ValueError(f"trainable must lie between 0 and total={total}")
    bill = {
        "weights": total * weight_bytes,
        "gradients": trainable * grad_bytes,
        "optimizer": total * optimizer_bytes,
    }
    return {**bill, "total": sum(bill.values())}
