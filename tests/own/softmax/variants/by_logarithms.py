def softmax(logits, *, temperature=1.0):
    if temperature <= 0:
        raise ValueError(f"the temperature was {temperature}, and it must be positive")
    scaled = logits / temperature
    return (scaled - scaled.logsumexp(dim=-1, keepdim=True)).exp()
