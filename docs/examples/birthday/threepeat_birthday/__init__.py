"""A birthday present for members."""
