"""Asking real servers whether they work: one file per check type, one scheduler for all of them.

Answers are Results with a named reason; what an answer means for a server is `health`'s business.
"""
