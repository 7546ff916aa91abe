"""The relay: TCP and UDP to another site in user space, in a process of its own. It decides nothing about sites."""
