"""What the fork server, and the prepared process of a class, do once so that their children need not: the slow imports.

The first optimizer of a process imports torch's compiler, which takes a second.
"""

import gc
from contextlib import suppress

import torch

from grader.checks import checks_of
from grader.problems import PROBLEMS
from grader.submission import SubmissionError

for problem in PROBLEMS:
    with suppress(SubmissionError):  # an instructor's own problem may be unfinished; whoever grades it is told
        checks_of(problem)
torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.0)
gc.freeze()  # a child need not look through all of torch for garbage, again and again
