"""The verifiers: one file of Python and one page, both without anything of ours installed."""
