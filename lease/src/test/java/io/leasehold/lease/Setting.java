package io.leasehold.lease;

import io.leasehold.rdma.RdmaDevice;
import java.util.function.LongSupplier;
import java.util.function.UnaryOperator;

/// Where a property is tried: a fabric, and what is wrong with it on purpose, so that a test can show that the property notices.
///
/// @param fabric the fabric
/// @param node options of the node
/// @param nodeDevice put around the node's device
/// @param clientDevice put around the clients' device
/// @param nodeClock put around the node's clock; the clients keep the true one
/// @param modes what becomes of the mode of a request for a lease on its way to the node
record Setting(Fabric fabric, UnaryOperator<NodeOptions> node, UnaryOperator<RdmaDevice> nodeDevice,
        UnaryOperator<RdmaDevice> clientDevice, UnaryOperator<LongSupplier> nodeClock, UnaryOperator<LeaseMode> modes) {
    /// A fabric with which nothing is wrong.
    static Setting on(Fabric fabric) {
        return new Setting(fabric, options -> options, device -> device, device -> device, clock -> clock, mode -> mode);
    }

    /// The same with other options of the node.
    Setting withNode(UnaryOperator<NodeOptions> change) {
        return new Setting(fabric, options -> change.apply(node.apply(options)), nodeDevice, clientDevice, nodeClock, modes);
    }

    /// The same with leases that rest on regions.
    Setting withRegions() {
        return withNode(NodeOptions::withRegionsOnly);
    }

    /// The same with something around the node's device.
    Setting withNodeDevice(UnaryOperator<RdmaDevice> around) {
        return new Setting(fabric, node, around, clientDevice, nodeClock, modes);
    }

    /// The same with something around the clients' device.
    Setting withClientDevice(UnaryOperator<RdmaDevice> around) {
        return new Setting(fabric, node, nodeDevice, around, nodeClock, modes);
    }

    /// The same with another clock of the node.
    Setting withNodeClock(UnaryOperator<LongSupplier> around) {
        return new Setting(fabric, node, nodeDevice, clientDevice, around, modes);
    }

    /// The same with requests whose modes change on their way.
    Setting withModes(UnaryOperator<LeaseMode> change) {
        return new Setting(fabric, node, nodeDevice, clientDevice, nodeClock, change);
    }
}
