"""Slow tests on real input: the real index, real pip, other interpreters, kill -9."""
