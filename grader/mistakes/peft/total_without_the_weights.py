"""The sum leaves the weights out.

They are held all the time, and in PEFT they are by far the largest part. Add up all three.
"""
# Shows in: other_formats_have_other_bytes


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if not 0 <= trainable <= total:
        raise ValueError(f"trainable must lie between 0 and total={total}")
    bill = {
        "weights": total * weight_bytes,
        "gradients": trainable * grad_bytes,
        "optimizer": trainable * optimizer_bytes,
    }
    return {**bill, "total": bill["gradients"] + bill["optimizer"]}
