"""More trainable parameters than there are at all are accepted.

Mostly the two arguments are swapped then, or the adapters are left out of total. Raise a ValueError that names trainable.
"""


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    bill = {
        "weights": total * weight_bytes,
        "gradients": trainable * grad_bytes,
        "optimizer": trainable * optimizer_bytes,
    }
    return {**bill, "total": sum(bill.values())}
