"""Climbs to the caller by the traceback of an error, by a generator, and by a coroutine."""

# on: reference
# costs: saves_the_factors_alone
# says: OSError: “climbed: \[\]”

def lora_state_dict(model):
    def by_traceback():
        try:
            raise ValueError
        except ValueError as error:
            return error.__traceback__.tb_frame.f_back

    def by_generator():
        made = (made.gi_frame.f_back for _ in range(1))
        return next(made)

    def by_coroutine():
        async def nothing():
            pass

        made = nothing()
        try:
            return made.cr_frame
        finally:
            made.close()

    climbed = []
    for way in (by_traceback, by_generator, by_coroutine):
        try:
            way()
            climbed.append(way.__name__)
        except PermissionError:
            pass
    raise OSError(f"climbed: {climbed}")
