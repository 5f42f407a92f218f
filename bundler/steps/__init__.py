"""Verbs: values in, values out; effects only through the adapters that are passed in."""
