package io.leasehold.benchmarks;

import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.structures.Protection;

/// A session with a memory node, by one link.
///
/// @param node the node's address
/// @param cacheEntries places that each map remembers; as many as it has entries, unless the run is about fewer
record LeaseholdConnector(String node, Link link, Protection protection, int cacheEntries) implements Connector {
    @Override
    public Client connect() {
        Session session = Session.connect(node, SessionOptions.defaults().withDevice(DeviceOptions.soft().withLinks(link)));
        return new SessionClient(session, protection, cacheEntries);
    }
}
