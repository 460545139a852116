"""The fork server imports this module first, and no other process imports it.

Jupyter's "interrupt" reaches the server too. It would end the slow imports half way, and all children would fail on them.
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
