"""What the kernel must hold, and the ordered steps from what it holds to that. Pure functions of their arguments."""
