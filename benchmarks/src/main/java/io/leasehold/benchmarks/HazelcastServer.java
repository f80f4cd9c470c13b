package io.leasehold.benchmarks;

import com.hazelcast.config.Config;
import com.hazelcast.core.Hazelcast;
import com.hazelcast.core.HazelcastInstance;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/// A Hazelcast member on its own: no backups, no discovery.
final class HazelcastServer implements Server {
    /// What its documentation asks for on newer JDKs.
    private static final List<String> OPENED = List.of("--add-modules=java.se", "--add-exports=java.base/jdk.internal.ref=ALL-UNNAMED",
            "--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
            "--add-opens=java.management/sun.management=ALL-UNNAMED",
            "--add-opens=jdk.management/com.sun.management.internal=ALL-UNNAMED");
    private static final int PORT_FIRST = 15_701;

    private final JavaServer server;

    private HazelcastServer(JavaServer server) {
        this.server = server;
    }

    static HazelcastServer start(Host host) throws IOException {
        List<String> options = new ArrayList<>(OPENED);
        options.addAll(Peer.serverOptions());
        return new HazelcastServer(JavaServer.start("hazelcast", host, options, List.of("hazelcast")));
    }

    /// What runs in the server's process.
    static HazelcastInstance run() {
        Config config = new Config().setProperty("hazelcast.phone.home.enabled", "false");
        config.getNetworkConfig().setPort(PORT_FIRST).setPortAutoIncrement(true).setPublicAddress(NativeServer.LOOPBACK);
        config.getNetworkConfig().getInterfaces().setEnabled(true).addInterface(NativeServer.LOOPBACK);
        config.getNetworkConfig().getJoin().getAutoDetectionConfig().setEnabled(false);
        config.getNetworkConfig().getJoin().getMulticastConfig().setEnabled(false);
        config.getMapConfig("default").setBackupCount(0);
        config.getQueueConfig("default").setBackupCount(0);
        config.getJetConfig().setEnabled(false);
        return Hazelcast.newHazelcastInstance(config);
    }

    Connector connector() {
        return new HazelcastConnector(server.address());
    }

    @Override
    public String settings() {
        return "one member, no backups, BINARY, " + Peer.serverOptions();
    }

    @Override
    public void close() {
        server.close();
    }
}
