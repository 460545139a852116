"""The tensors are int32.

cross_entropy refuses labels of that type. Token ids and labels are torch.long.
"""
# Shows in: gives_three_long_tensors

right_collate = collate


def collate(examples, *, pad_id):
    return {key: tensor.int() for key, tensor in right_collate(examples, pad_id=pad_id).items()}
