"""The shape of the file: pydantic models, the one source of validation, JSON Schema and the reference page.

A model says which keys exist, how each value is written (a Form), its default and its sentence for the reference.
It knows nothing of other parts of the file: references and everything between two settings is in rules/.
"""
