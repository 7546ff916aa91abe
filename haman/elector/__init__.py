"""Process 1: the election and everything that follows from the role. Small, real-time, waits for nobody.

    child  --- Configure, Readiness --->  engine  --- effects --->  segment (adverts), announcer (ARP)
    segment -- packets ---------------->    |
    keeper --- links, addresses ------->    |       --- holds --->  keeper --> kernel.addresses
    engine --- Roles, Happened -------->  child

It imports no configuration, HTTP, metrics or checking code: what it needs to know comes from the director as an
`ElectorConfig`, and it keeps the last one.
"""
