"""Blind boxes whose odds are those of the pool that draws, with evidence that anyone can check."""
