"""Forms: how one value is written. Each turns a value of the file into one of the model, or says what is wrong.

A Form is put on a field with `Annotated[type, form]` and is the one source of three things: the check, the JSON
Schema, and the words of the reference page. No form knows about any other value of the file (see rules/ for that).
"""
