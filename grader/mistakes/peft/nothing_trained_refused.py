"""A model of which nothing trains is refused.

That is inference, and its bill is that of the weights. 0 is a right count.
"""
# Shows in: refuses_more_trained_than_there_are


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if not 0 < trainable <= total:
        raise ValueError(f"trainable must lie above 0 and not above total={total}")
    bill = {
        "weights": total * weight_bytes,
        "gradients": trainable * grad_bytes,
        "optimizer": trainable * optimizer_bytes,
    }
    return {**bill, "total": sum(bill.values())}
