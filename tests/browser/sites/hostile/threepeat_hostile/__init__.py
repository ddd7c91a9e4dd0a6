"""A plugin that means harm: every string that it declares tries to become more than text."""
