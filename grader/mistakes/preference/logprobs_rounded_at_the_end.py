"""The sums are rounded to the dtype of the logits.

Between -128 and -256 a bfloat16 knows whole numbers alone, and the differences that DPO takes are smaller.
Leave the result in float32.
"""
# Shows in: takes_logits_in_half_precision


def sequence_logprobs(logits, labels):
    dtype = logits.dtype
    logits, labels = _float(logits[:, :-1]), labels[:, 1:]
    scored = labels != IGNORE_INDEX
    logprobs = torch.log_softmax(logits, dim=-1)
    chosen = logprobs.gather(2, labels.clamp(min=0).unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~scored, 0.0).sum(dim=1).to(dtype)
