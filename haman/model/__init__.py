"""Nouns: what the operator wants, what a kernel holds, and what changed. Frozen, no behaviour that acts."""
