"""A till: it counts without any key that would hide a repetition, so that each doubled or lost effect shows."""
