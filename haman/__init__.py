"""haman keeps a service's virtual IP alive: VRRP election, IPVS, health checks, in two processes."""

__version__ = "0.1.0"
