"""The library's errors, each with one message that says what to change."""


class TrainError(RuntimeError):
    """The program, its input or this machine does not allow the training to go on."""
