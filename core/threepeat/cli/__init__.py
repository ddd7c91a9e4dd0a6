"""The command line."""

import gc


def main() -> None:
    """Run `threepeat`."""
    # All that is imported stays: to look for garbage in it takes a tenth of the start, and later of each look.
    gc.disable()
    from threepeat.cli.app import app  # noqa: PLC0415 - start-up pays for no more than the command needs

    gc.freeze()
    gc.enable()
    app()
