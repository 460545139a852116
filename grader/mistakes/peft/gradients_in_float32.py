"""Gradients are billed with 4 bytes.

In mixed precision they have the format of the weights, 2 bytes: the default of grad_bytes. Those 4 bytes are the fp32 copy in the optimizer.
"""


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=4, optimizer_bytes=12):
    if not 0 <= trainable <= total:
        raise ValueError(f"trainable must lie between 0 and total={total}")
    bill = {
        "weights": total * weight_bytes,
        "gradients": trainable * grad_bytes,
        "optimizer": trainable * optimizer_bytes,
    }
    return {**bill, "total": sum(bill.values())}
