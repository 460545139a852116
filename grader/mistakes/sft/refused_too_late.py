"""A list without labels is refused after the mode and the gradients have been changed.

A refusal leaves everything as it was. Count the target tokens before model.train() and zero_grad().
"""
# Shows in: refuses_a_list_without_labels

right_train_step = train_step


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    model.train()
    optimizer.zero_grad()
    return right_train_step(model, micro_batches, optimizer, scheduler=scheduler, max_grad_norm=max_grad_norm)
