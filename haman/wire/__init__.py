"""Bytes to frozen dataclasses and back. No clock, no socket; units of the wire (centiseconds) end here."""
