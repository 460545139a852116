"""The result is in gigabytes, not in bytes.

The contract returns bytes. Convert where you print.
"""


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if not 0 <= trainable <= total:
        raise ValueError(f"trainable must lie between 0 and total={total}")
    bill = {
        "weights": total * weight_bytes,
        "gradients": trainable * grad_bytes,
        "optimizer": trainable * optimizer_bytes,
    }
    bill["total"] = sum(bill.values())
    return {part: size / 1e9 for part, size in bill.items()}
