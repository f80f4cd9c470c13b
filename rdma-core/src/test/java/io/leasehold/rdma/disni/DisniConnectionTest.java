package io.leasehold.rdma.disni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.IbvWC.IbvWcStatus;
import com.ibm.disni.verbs.RdmaCm;
import com.ibm.disni.verbs.RdmaCmEvent;
import com.ibm.disni.verbs.RdmaCmEvent.EventType;
import com.ibm.disni.verbs.RdmaCmId;
import com.ibm.disni.verbs.RdmaConnParam;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Connecting by RDMA-CM on the RDMA device of this machine: what goes wrong is told, by name and in time.
@Tag("rdma")
@Timeout(120)
class DisniConnectionTest {
    private final ExecutorService executor = Executors.newCachedThreadPool();
    private InetSocketAddress own;

    @BeforeAll
    static void install() {
        Disni.install();
    }

    @BeforeEach
    void findDevice() throws Exception {
        own = RdmaAddress.anyPort();
    }

    @AfterEach
    void leaksNothing() {
        executor.shutdownNow();
        Disni.Resources left = Disni.resources();
        Disni.shutdown();
        assertThat(left.eventChannels()).as("event channels").isZero();
        assertThat(left.ids()).as("ids").isZero();
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    @Test
    void nobodyListens() throws Exception {
        try (DisniPeer client = new DisniPeer()) {
            client.resolve(new InetSocketAddress(own.getAddress(), 1));
            client.receive(1, 0, 8);
            client.id.connect(new RdmaConnParam());
            assertThatExceptionOfType(RdmaException.class)
                    .isThrownBy(() -> Disni.await(client.channel, EventType.RDMA_CM_EVENT_ESTABLISHED, Duration.ofSeconds(20)))
                    .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.REJECTED))
                    .withMessageContaining("nobody listens").withMessageContaining(own.getAddress().getHostAddress())
                    .withMessageContaining("connecting to").withMessageContaining("ms");
            assertThat(IbvWcStatus.valueOf(client.complete().getStatus())).isEqualTo(IbvWcStatus.IBV_WC_WR_FLUSH_ERR);
        }
    }

    @Test
    void thereIsNoWayToTheAddress() throws Exception {
        try (DisniPeer client = new DisniPeer()) {
            RdmaCmId id = client.channel.createId(RdmaCm.RDMA_PS_TCP);
            long start = System.nanoTime();
            assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> {
                try {
                    id.resolveAddr(null, new InetSocketAddress("192.0.2.1", 7000), 2000);
                } catch (IOException e) {
                    throw (RdmaException) e.getCause();
                }
                Disni.await(client.channel, EventType.RDMA_CM_EVENT_ADDR_RESOLVED, Duration.ofSeconds(20));
            }).withMessageContaining("resolving the address").satisfies(e -> assertThat(e.error())
                    .isIn(RdmaError.UNREACHABLE, RdmaError.UNSUPPORTED));
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(10));
            id.destroyId();
        }
    }

    /// The guest's own network resolves every address, since it has no wire; elsewhere resolving fails.
    @Test
    void nobodyHasTheAddress() throws Exception {
        try (DisniPeer client = new DisniPeer()) {
            InetSocketAddress nobody = new InetSocketAddress(RdmaAddress.ofNobody(own.getAddress()), 7000);
            long start = System.nanoTime();
            assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> {
                RdmaCmId id = client.channel.createId(RdmaCm.RDMA_PS_TCP);
                client.id = id;
                id.resolveAddr(null, nobody, 1000);
                Disni.await(client.channel, EventType.RDMA_CM_EVENT_ADDR_RESOLVED, Duration.ofSeconds(20));
                id.destroyId();
                client.id = null;
                client.resolve(nobody);
                client.id.connect(new RdmaConnParam());
                Disni.await(client.channel, EventType.RDMA_CM_EVENT_ESTABLISHED, Duration.ofSeconds(1));
            }).satisfies(e -> assertThat(e.error()).isIn(RdmaError.UNREACHABLE, RdmaError.TIMEOUT));
            assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(20));
        }
    }

    @Test
    void nobodyAnswers() throws Exception {
        try (DisniPeer server = new DisniPeer(); DisniPeer client = new DisniPeer()) {
            InetSocketAddress at = server.listen(own);
            client.resolve(at);
            client.id.connect(new RdmaConnParam());
            assertThatExceptionOfType(RdmaException.class)
                    .isThrownBy(() -> Disni.await(client.channel, EventType.RDMA_CM_EVENT_ESTABLISHED, Duration.ofSeconds(1)))
                    .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.TIMEOUT))
                    .withMessageContaining("RDMA_CM_EVENT_ESTABLISHED").withMessageContaining("1000 ms");
            assertThat(client.channel.getCmEvent(0)).as("null is for a timeout").isNull();
        }
    }

    @Test
    void theServerRefusesAndSaysWhy() throws Exception {
        try (DisniPeer server = new DisniPeer(); DisniPeer client = new DisniPeer()) {
            InetSocketAddress at = server.listen(own);
            client.resolve(at);
            client.id.connect(Disni.connParam(bytes("let me in")));
            RdmaCmEvent request = server.expect(EventType.RDMA_CM_EVENT_CONNECT_REQUEST);
            assertThat(request.getListenIdPriv()).isSameAs(server.listener);
            assertThat(Disni.report(request).privateData()).startsWith(bytes("let me in"));
            Disni.reject(request.getConnIdPriv(), bytes("full"));
            request.getConnIdPriv().destroyId();
            RdmaCmEvent answer = client.channel.getCmEvent(DisniPeer.PATIENCE_MILLIS);
            assertThat(answer).isNotNull();
            CmReport report = Disni.report(answer);
            assertThat(report.type()).isEqualTo(EventType.RDMA_CM_EVENT_REJECTED);
            assertThat(report.status()).isEqualTo(28);
            assertThat(report.privateData()).startsWith(bytes("full"));
            assertThat(report.peer()).isEqualTo(at);
        }
    }

    @Test
    void privateDataGoBothWays() throws Exception {
        try (DisniPeer server = new DisniPeer(); DisniPeer client = new DisniPeer()) {
            InetSocketAddress at = server.listen(own);
            client.resolve(at);
            client.id.connect(Disni.connParam(bytes("who is there?")));
            Future<?> accepting = executor.submit(() -> {
                server.meet();
                server.accept(Disni.connParam(bytes("it is me")));
                return null;
            });
            RdmaCmEvent up = Disni.await(client.channel, EventType.RDMA_CM_EVENT_ESTABLISHED, Duration.ofSeconds(20));
            accepting.get(20, TimeUnit.SECONDS);
            assertThat(Disni.report(up).privateData()).startsWith(bytes("it is me"));
            assertThat(Disni.report(server.request).privateData()).startsWith(bytes("who is there?"));
            assertThat(Param.privateData(server.request.getConn())).as("by DiSNI's own accessors").startsWith(bytes("who is there?"));
            assertThat(client.id.getDestination()).isEqualTo(at);
            assertThat(((InetSocketAddress) server.id.getDestination()).getAddress()).isEqualTo(own.getAddress());
        }
    }

    @Test
    void theServerCloses() throws Exception {
        try (DisniPeer server = new DisniPeer(); DisniPeer client = new DisniPeer()) {
            InetSocketAddress at = server.listen(own);
            Future<?> serving = executor.submit(() -> {
                server.meet();
                server.accept(new RdmaConnParam());
                return null;
            });
            client.connect(at, new RdmaConnParam());
            serving.get(20, TimeUnit.SECONDS);
            client.receive(7, 0, 8);
            server.hangUp();
            CmReport report = Disni.report(client.expect(EventType.RDMA_CM_EVENT_DISCONNECTED));
            assertThat(report.phase()).isEqualTo("connected to");
            IbvWC flushed = client.complete();
            assertThat(flushed.getWr_id()).isEqualTo(7);
            assertThat(IbvWcStatus.valueOf(flushed.getStatus())).isEqualTo(IbvWcStatus.IBV_WC_WR_FLUSH_ERR);
            assertThat(flushed.getQp_num()).isEqualTo(client.qp.getQp_num());
        }
    }

    @Test
    void whatIsInUseIsNotDestroyed() throws Exception {
        try (DisniPeer client = new DisniPeer()) {
            client.resolve(new InetSocketAddress(own.getAddress(), 1));
            assertThatExceptionOfType(IOException.class).isThrownBy(client.id::destroyId).withMessageContaining("has queue pair");
            assertThatExceptionOfType(IOException.class).isThrownBy(client.channel::destroyEventChannel)
                    .withMessageContaining("destroy them first");
            assertThatExceptionOfType(IOException.class).isThrownBy(client.cq::destroyCQ).withMessageContaining("use the completion queue");
            assertThatExceptionOfType(IOException.class).isThrownBy(client.compChannel::destroyCompChannel)
                    .withMessageContaining("destroy them first");
            assertThatExceptionOfType(IOException.class).isThrownBy(client.pd::deallocPd).withMessageContaining("close them first");
        }
    }

    @Test
    void anIdOfNoDeviceIsRefusedWithoutHarm() throws Exception {
        try (DisniPeer client = new DisniPeer()) {
            RdmaCmId id = client.channel.createId(RdmaCm.RDMA_PS_TCP);
            assertThat(id.getVerbs()).isNull();
            assertThatExceptionOfType(IOException.class).isThrownBy(() -> id.connect(new RdmaConnParam()))
                    .withMessageContaining("has no queue pair");
            assertThatExceptionOfType(IOException.class).isThrownBy(() -> id.accept(new RdmaConnParam()))
                    .withMessageContaining("has no queue pair");
            id.destroyId();
            assertThatExceptionOfType(IOException.class).isThrownBy(() -> id.resolveRoute(100)).withMessageContaining("was destroyed");
            assertThatExceptionOfType(IOException.class).isThrownBy(id::disconnect).withMessageContaining("was destroyed");
        }
    }

    @Test
    void whoWaitsForAnEventIsToldThatTheChannelIsGone() throws Exception {
        DisniPeer peer = new DisniPeer();
        Future<RdmaCmEvent> waiting = executor.submit(() -> peer.channel.getCmEvent(-1));
        peer.close();
        assertThat(waiting).failsWithin(Duration.ofSeconds(10)).withThrowableThat().withMessageContaining("closed");
    }
}
