"""Who is up, and with which weight: results in, verdicts and weights out. Pure: time comes in as `now`."""
