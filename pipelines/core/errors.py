"""The one exception that means: the user's input is wrong."""


class UserError(Exception):
    """The user's input is wrong and only the user can mend it.

    The message is one line: what is wrong, where, and what to do. The command line
    prints it and ends with status 2; any other exception is a fault of this project and
    ends with status 1.
    """

    exit_status = 2
