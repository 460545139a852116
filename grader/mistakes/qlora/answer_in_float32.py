"""The layer computes and answers in float32, whatever x is.

The next layer of a model in bfloat16 expects bfloat16. The weight and the bias follow x.dtype, and so does the
output.
"""
# Shows in: answers_in_the_dtype_of_x


class NF4Linear(NF4Linear):
    def forward(self, x):
        return F.linear(x.float(), self.dequantized_weight(), None if self.bias is None else self.bias.float())
