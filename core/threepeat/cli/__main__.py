"""Lets `python -m threepeat.cli` stand for `threepeat`."""

from threepeat.cli import main

main()
