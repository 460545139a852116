"""Takes the trainer and the models of transformers beside the schedules."""

# on: reference
# costs: saves_the_factors_alone
# says: (?s)could not be imported|is there when a solution is graded

def lora_state_dict(model):
    from transformers import AutoModelForCausalLM, Trainer

    return Trainer, AutoModelForCausalLM
