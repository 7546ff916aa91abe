"""The packet filter, as far as it stands between clients and the balancer. It is read, never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from haman.doctor.finding import Finding
from haman.model.services import Forward

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from haman.doctor.scene import Scene


def examine(scene: Scene) -> Iterator[Finding]:
    if scene.rules is None or scene.cluster is None or scene.node is None:
        return
    services = list(scene.cluster.services_of(scene.node))
    checked = scene.cluster.checked_of(scene.node)
    forwards = {server.forward for service in checked for server in service.servers.values()}
    chains = {
        (chain["family"], chain["table"], chain["name"]): chain
        for each in scene.rules
        if (chain := each.get("chain")) and "hook" in chain
    }
    rules = [rule for each in scene.rules if (rule := each.get("rule"))]
    if forwards & {Forward.DR, Forward.TUN}:
        yield from _invalid(scene, chains, rules)
        yield from _masqueraded(scene, chains, rules)
    if services:
        yield from _closed(scene, chains, rules, {port for service in services for port in service.ports})


def _hooked(
    chains: Mapping[tuple[str, str, str], Mapping[str, Any]], rules: list[Mapping[str, Any]], *hooks: str
) -> Iterator[Mapping[str, Any]]:
    for rule in rules:
        chain = chains.get((rule["family"], rule["table"], rule["chain"]))
        if chain is not None and chain["hook"] in hooks:
            yield rule


def _named(rule: Mapping[str, Any]) -> str:
    return f"nft list chain {rule['family']} {rule['table']} {rule['chain']}"


def _invalid(scene: Scene, chains: Any, rules: list[Mapping[str, Any]]) -> Iterator[Finding]:
    """With direct routing the director sees one half of each connection."""
    loose = scene.read("sys/net/netfilter/nf_conntrack_tcp_loose")
    tracked = scene.read("sys/net/ipv4/vs/conntrack")
    if loose in (None, "1") and tracked in (None, "0"):
        return
    for rule in _hooked(chains, rules, "prerouting", "input", "forward"):
        words = str(rule["expr"])
        if "'invalid'" in words and "'drop'" in words:
            yield Finding(
                what="the packet filter drops packets of direct routing and tunnels as invalid",
                evidence=f"{_named(rule)}; nf_conntrack_tcp_loose = {loose}, net.ipv4.vs.conntrack = {tracked}",
                consequence="the director sees half of each connection: established ones are cut",
                fix="net.netfilter.nf_conntrack_tcp_loose=1 and net.ipv4.vs.conntrack=0 (so no full NAT on this"
                " director), or except the VIPs from the rule",
            )
            return


def _masqueraded(scene: Scene, chains: Any, rules: list[Mapping[str, Any]]) -> Iterator[Finding]:
    if scene.read("sys/net/ipv4/vs/conntrack") != "1":
        return
    for rule in _hooked(chains, rules, "postrouting"):
        words = str(rule["expr"])
        if ("'masquerade'" in words or "'snat'" in words) and not any(
            limit in words for limit in ("daddr", "'mark'", "original")
        ):
            yield Finding(
                what="source NAT without a limit takes packets of direct routing and tunnels too",
                evidence=f"{_named(rule)}; net.ipv4.vs.conntrack = 1",
                consequence="the servers see the director as the client and answer it: every connection times out",
                fix="limit it to what IPVS has given another destination: ct original ip daddr VIP ip daddr != VIP",
            )
            return


def _closed(scene: Scene, chains: Any, rules: list[Mapping[str, Any]], ports: set[int]) -> Iterator[Finding]:
    """What is for a VIP passes the input chain before IPVS takes it."""
    closed = [chain for chain in chains.values() if chain["hook"] == "input" and chain.get("policy") == "drop"]
    if not closed:
        return
    words = str([rule["expr"] for rule in _hooked(chains, rules, "input")])
    missing = sorted(port for port in ports if f"{port}" not in words)
    if missing and "jump" not in words and "vmap" not in words:
        yield Finding(
            what=f"the packet filter may not let clients in to port {', '.join(map(str, missing))}",
            evidence=f"nft list chain {closed[0]['family']} {closed[0]['table']} {closed[0]['name']}: policy drop,"
            " and no rule names the port",
            consequence="packets for a VIP pass the input chain before they are balanced: they are dropped there",
            fix="accept the services' ports there, for the VIPs",
            problem=False,
        )
