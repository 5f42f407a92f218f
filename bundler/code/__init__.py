"""Compiled code as files hold it: what formats of programs and libraries tell of themselves."""
