"""Journal, history, metrics: read, never decide. Both processes import `journal`; only the director the rest."""
