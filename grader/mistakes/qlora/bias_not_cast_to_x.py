"""The bias stays in its own dtype.

A bias in float32 does not fit a product in bfloat16. Convert it to x.dtype as well as the weight.
"""
# Shows in: answers_in_the_dtype_of_x


class NF4Linear(NF4Linear):
    def forward(self, x):
        bias = None if self.bias is None else self.bias
        return F.linear(x, self.dequantized_weight().to(x.dtype), bias)
