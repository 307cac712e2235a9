"""What ends a command: wrong input of the user, or a request to stop."""


class UserError(Exception):
    """The user's input is wrong and only the user can mend it.

    The message is one line: what is wrong, where, and what to do. The command line
    prints it and ends with status 2; any other exception is a fault of this project and
    ends with status 1.
    """

    exit_status = 2


class Interrupted(Exception):
    """Training was asked to stop (SIGINT or SIGTERM); its state is saved."""


class WorkerLost(Exception):
    """One of several workers of a training has died; the last saved state is kept."""

    exit_status = 1
