"""Fuzzing that stays: what reads untrusted bytes, seeds to begin with, and what was found before."""
