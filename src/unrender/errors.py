"""The errors that a user can cause and mend."""


class InputError(ValueError):
    """Input that breaks a rule; the message states the rule and the value that breaks it."""
