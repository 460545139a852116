"""What the fork server does once, so that its children need not: the slow imports.

The first optimizer of a process imports torch's compiler, which takes a second. No other process imports this module.
"""

import signal

# Jupyter's "interrupt" reaches the server too. It would end the imports half way, and all children would fail on them.
signal.signal(signal.SIGINT, signal.SIG_IGN)

import torch  # noqa: E402

torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.0)
