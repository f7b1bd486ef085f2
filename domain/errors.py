"""The one exception for things a user can mend."""


class InputError(ValueError):
    """A file, a parameter or an argument is wrong.

    The message is one sentence that names the file, the key and the mend. Stage scripts
    print it without a traceback and leave no output behind.
    """
