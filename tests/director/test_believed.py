from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from haman.director.believed import carried_out, merged
from haman.model.kernel import DestinationConfig, DestinationKey, Kernel, ServiceConfig, ServiceKey
from haman.model.services import Forward, Protocol
from haman.plan.diff import diff
from haman.plan.ops import simulate
from haman.plan.ownership import Ownership

SERVICES = [ServiceKey.at(Protocol.TCP, IPv4Address("10.0.0.100"), port) for port in (80, 443, 8080)]
OURS = Ownership(vips=frozenset({IPv4Address("10.0.0.100")}))


@st.composite
def kernels(draw: st.DrawFn) -> Kernel:
    services = draw(st.dictionaries(st.sampled_from(SERVICES), st.sampled_from(["rr", "mh"]).map(ServiceConfig)))
    destinations = {
        DestinationKey(service, IPv4Address(f"10.0.0.{last}"), service.port): DestinationConfig(Forward.DR, weight)
        for service in services
        for last, weight in draw(st.dictionaries(st.integers(1, 4), st.integers(0, 2))).items()
    }
    return Kernel(services=services, destinations=destinations)


@given(kernels(), kernels())
def test_it_agrees_with_the_simulated_kernel(actual: Kernel, desired: Kernel) -> None:
    ops = diff(desired, actual, OURS)
    assert carried_out(ops, actual) == simulate(ops, actual) == desired


@given(kernels(), kernels(), kernels())
def test_a_dump_that_our_operations_overtook(start: Kernel, desired: Kernel, foreign: Kernel) -> None:
    """Whatever the dump saw of the objects we touched, of those we know better; of all others it knows better."""
    ops = diff(desired, start, OURS)
    touched = {op.key for op in ops}
    after = carried_out(ops, start)
    result = merged(foreign, after, touched)
    for key in (*after.services, *foreign.services):
        source = after if key in touched else foreign
        assert result.services.get(key) == source.services.get(key)
    for destination in (*after.destinations, *foreign.destinations):
        ours = destination in touched or destination.service in touched
        source = after if ours else foreign
        assert result.destinations.get(destination) == source.destinations.get(destination)


def test_without_operations_a_dump_is_taken_as_it_is() -> None:
    dump = Kernel()
    assert merged(dump, Kernel(services={SERVICES[0]: ServiceConfig("rr")}), set()) is dump
