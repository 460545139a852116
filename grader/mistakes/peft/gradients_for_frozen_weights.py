"""Gradients are billed for frozen weights, too.

A parameter that requires no gradient never gets one, so it costs no memory for it. Multiply by the trainable
ones.
"""


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if not 0 <= trainable <= total:
        raise ValueError(f"trainable must lie between 0 and total={total}")
    bill = {
        "weights": total * weight_bytes,
        "gradients": total * grad_bytes,
        "optimizer": trainable * optimizer_bytes,
    }
    return {**bill, "total": sum(bill.values())}
