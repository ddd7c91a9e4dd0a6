"""The command line."""


def main() -> None:
    """Run `threepeat`."""
    from threepeat.cli.app import app  # noqa: PLC0415 - start-up pays for no more than the command needs

    app()
