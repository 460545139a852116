"""Only the trainable weights are held in memory.

The frozen model must be there to run: forward and backward pass go through it. Multiply by total.
"""


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if not 0 <= trainable <= total:
        raise ValueError(f"trainable must lie between 0 and total={total}")
    bill = {
        "weights": trainable * weight_bytes,
        "gradients": trainable * grad_bytes,
        "optimizer": trainable * optimizer_bytes,
    }
    return {**bill, "total": sum(bill.values())}
