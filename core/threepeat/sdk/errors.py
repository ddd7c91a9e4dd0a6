"""What plugin code may raise on purpose."""


class PluginError(Exception):
    """A declaration that core cannot accept; the message names what to change."""


class Refused(Exception):  # noqa: N818 - a business answer, not a programming error
    """A member or merchant asked for something the rules do not allow.

    Routes answer it as a 409 problem that shows `reason` to the caller.

    Args:
        reason: One sentence for the reader, in plain words.
        code: A short stable identifier, such as `not-enough-points`.
        field: Of a collection's form, the field that is wrong; its page shows the reason there.
    """

    def __init__(self, reason: str, *, code: str = "refused", field: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.field = field
