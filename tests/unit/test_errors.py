import weft.errors as errors


def test_every_error_is_a_weft_error_and_stands_in_the_tree():
    family = [
        value
        for value in vars(errors).values()
        if isinstance(value, type) and value.__module__ == errors.__name__
    ]
    assert all(issubclass(member, errors.WeftError) for member in family)
    assert all(member.__name__ in errors.__doc__ for member in family)
