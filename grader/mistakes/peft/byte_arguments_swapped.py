"""grad_bytes and weight_bytes are swapped.

With the defaults both are 2, so it does not show. Weights take weight_bytes, and gradients take grad_bytes.
"""


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if not 0 <= trainable <= total:
        raise ValueError(f"trainable must lie between 0 and total={total}")
    bill = {
        "weights": total * grad_bytes,
        "gradients": trainable * weight_bytes,
        "optimizer": trainable * optimizer_bytes,
    }
    return {**bill, "total": sum(bill.values())}
