package io.leasehold.testkit;

import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

/// Two hosts: a server, whose memory is used, and a client, who uses it.
///
/// @param server the host that has the memory
/// @param client the host that sends the requests
public record Testbed(Host server, Host client) implements AutoCloseable {
    /// Two hosts on two devices.
    public static Testbed of(Supplier<RdmaDevice> devices) {
        Host server = Host.of("server", devices.get());
        try {
            return new Testbed(server, Host.of("client", devices.get()));
        } catch (RuntimeException e) {
            server.close();
            throw e;
        }
    }

    /// A connection from the client to the server.
    public Connection connect() {
        return connect(options -> options);
    }

    /// A connection from the client to the server, with options of its own on both sides.
    public Connection connect(UnaryOperator<QueuePairOptions> options) {
        Connection connection = new Connection(client.endpoint(options), server.endpoint(options));
        connection.client().connect(connection.server());
        return connection;
    }

    @Override
    public void close() {
        try (server) {
            client.close();
        }
    }

    /// Two connected queue pairs.
    ///
    /// @param client the one that asked
    /// @param server the one that accepted
    public record Connection(Endpoint client, Endpoint server) {
        /// Starts over after an error.
        public void reconnect() {
            client.reconnect(server);
        }
    }
}
