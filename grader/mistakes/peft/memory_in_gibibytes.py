"""The result is in GiB, not in bytes.

1 GiB is 2**30 bytes, 7 % more than a GB, and the contract returns bytes. Convert where you print.
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
    return {part: size / 2**30 for part, size in bill.items()}
