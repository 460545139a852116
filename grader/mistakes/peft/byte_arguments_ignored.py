"""The byte arguments are ignored.

The defaults are one convention of several. Use the arguments, so that fp32 or 8-bit training can be billed,
too.
"""


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if not 0 <= trainable <= total:
        raise ValueError(f"trainable must lie between 0 and total={total}")
    bill = {
        "weights": total * 2,
        "gradients": trainable * 2,
        "optimizer": trainable * 12,
    }
    return {**bill, "total": sum(bill.values())}
