package io.leasehold.benchmarks;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.util.List;
import org.infinispan.commons.dataconversion.MediaType;
import org.infinispan.configuration.cache.ConfigurationBuilder;
import org.infinispan.configuration.global.GlobalConfigurationBuilder;
import org.infinispan.manager.DefaultCacheManager;
import org.infinispan.server.hotrod.HotRodServer;
import org.infinispan.server.hotrod.configuration.HotRodServerConfigurationBuilder;

/// A Hot Rod server with one local cache.
final class InfinispanServer implements Server {
    private final JavaServer server;

    private InfinispanServer(JavaServer server) {
        this.server = server;
    }

    static InfinispanServer start(Host host) throws IOException {
        return new InfinispanServer(JavaServer.start("infinispan", host, Peer.serverOptions(), List.of("infinispan")));
    }

    /// What runs in the server's process.
    ///
    /// @return the port
    static int run() throws IOException {
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getByName(NativeServer.LOOPBACK))) {
            port = free.getLocalPort();
        }
        DefaultCacheManager manager = new DefaultCacheManager(new GlobalConfigurationBuilder().nonClusteredDefault().build());
        ConfigurationBuilder cache = new ConfigurationBuilder();
        cache.encoding().mediaType(MediaType.APPLICATION_OCTET_STREAM_TYPE);
        manager.defineConfiguration(InfinispanConnector.CACHE, cache.build());
        manager.getCache(InfinispanConnector.CACHE);
        HotRodServer server = new HotRodServer();
        server.start(new HotRodServerConfigurationBuilder().host(NativeServer.LOOPBACK).port(port).build(), manager);
        server.postStart();
        return port;
    }

    Connector connector() {
        return new InfinispanConnector(NativeServer.LOOPBACK, Integer.parseInt(server.address()));
    }

    @Override
    public String settings() {
        return "one local cache of bytes on the heap, " + Peer.serverOptions();
    }

    @Override
    public void close() {
        server.close();
    }
}
