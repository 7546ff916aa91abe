"""The only code that touches netlink, nftables and sysctls: `snapshot` gives a `model.kernel.Kernel`,
`apply` carries out operations.

A refusal is a value (`refusal.Refusal`), not an exception: one operation that fails must not lose the others.
"""
