from threepeat.testing.conformance import *  # noqa: F403 - the fixture and the test, one for each rule
