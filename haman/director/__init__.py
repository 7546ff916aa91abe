"""Process 2: checks -> weights -> plan -> IPVS; hooks, control socket, metrics. It can die and start at any time."""
