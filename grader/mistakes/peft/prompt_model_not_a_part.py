"""The wrapped model is no submodule of the wrapper.

In a list or a closure, parameters(), to(), eval() and state_dict() do not find it. Keep it as an attribute:
self.model = model.
"""
# Shows in: only_the_prompt_trains


class PromptTuning(PromptTuning):
    def __init__(self, model, num_virtual_tokens):
        super().__init__(model, num_virtual_tokens)
        del self.model
        self.kept = [model]

    def forward(self, input_ids, attention_mask):
        self.__dict__["model"] = self.kept[0]
        return super().forward(input_ids, attention_mask)
