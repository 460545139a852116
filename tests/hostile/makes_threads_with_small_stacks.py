"""Makes as many threads as the system gives."""

# on: reference
# costs: saves_the_factors_alone
# says: OSError: “1?\d threads”

import threading
import time


def lora_state_dict(model):
    threading.stack_size(32 * 1024)
    count = 0
    try:
        while count < 2000:
            threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
            count += 1
    except RuntimeError:
        pass
    raise OSError(f"{count} threads")
