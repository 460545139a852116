"""The levels are means of neighbouring quantiles, as equation 4 of the QLoRA paper has it.

The published table, and bitsandbytes, follow another recipe: quantiles at evenly spaced probabilities from an offset
down to 0.5, eight on the positive side and seven on the negative one.
"""
# Shows in: levels_are_quantiles_of_the_normal


def nf4_levels():
    normal = torch.distributions.Normal(torch.tensor(0.0, dtype=torch.float64), 1.0)

    def side(count):
        quantiles = normal.icdf(torch.arange(1, 2 * count + 2, dtype=torch.float64) / (2 * count + 2))
        middles = ((quantiles[1:] + quantiles[:-1]) / 2)[count:]
        return middles / middles.max()

    return torch.cat([-side(7), torch.zeros(1), side(8)]).sort().values.float()
