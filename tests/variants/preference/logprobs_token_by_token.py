"""Log-probabilities in loops over rows and tokens, in float32."""


def sequence_logprobs(logits, labels):
    answers = []
    for scores, row in zip(logits.float(), labels.tolist()):
        total = 0 * scores.sum()
        for t, label in enumerate(row[1:]):
            if label != -100:
                total = total + F.log_softmax(scores[t], dim=0)[label]
        answers.append(total)
    return torch.stack(answers)
