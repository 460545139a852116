"""What the fork server does once, so that its children need not: the slow imports.

The first optimizer of a process imports torch's compiler, which takes a second. No other process imports this module.
"""

import torch

torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.0)
