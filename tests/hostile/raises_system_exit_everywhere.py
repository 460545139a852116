"""Raises SystemExit(0), KeyboardInterrupt and GeneratorExit in the stubs."""

# on: blank
# costs: everything
# says: SystemExit|KeyboardInterrupt|GeneratorExit

def lora_state_dict(model):
    raise SystemExit(0)


def load_lora_state_dict(model, state):
    raise KeyboardInterrupt


def inject_lora(*arguments, **options):
    raise GeneratorExit
