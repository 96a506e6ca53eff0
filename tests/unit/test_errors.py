import weft.errors as errors


def test_every_error_is_a_weft_error_and_a_built_in_error():
    family = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and value.__module__ == errors.__name__
    ]
    assert all(issubclass(member, errors.WeftError) for member in family)
    specific = [member for member in family if member is not errors.WeftError]
    assert len(specific) == 8
    assert all(issubclass(member, (ValueError, RuntimeError)) and member.__doc__ for member in specific)
