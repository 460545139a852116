"""The expanded weight is multiplied in float32, with x as it is.

F.linear refuses operands of two dtypes. Convert the expanded weight, and the bias, to x.dtype.
"""
# Shows in: answers_in_the_dtype_of_x


class NF4Linear(NF4Linear):
    def forward(self, x):
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.linear(x, self.dequantized_weight(), bias)
