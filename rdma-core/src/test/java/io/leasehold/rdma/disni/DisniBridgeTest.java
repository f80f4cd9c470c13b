package io.leasehold.rdma.disni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import com.ibm.disni.verbs.IbvSendWR;
import com.ibm.disni.verbs.IbvWC;
import com.ibm.disni.verbs.IbvWC.IbvWcStatus;
import com.ibm.disni.verbs.RdmaConnParam;
import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairState;
import io.leasehold.rdma.RdmaError;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.RemoteKey;
import io.leasehold.rdma.WorkCompletion;
import java.io.IOException;
import java.net.InetSocketAddress;
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

/// Atomics, which DiSNI 2.1 has the words for, and windows, which it has not, on queue pairs that a program for DiSNI has connected.
@Tag("rdma")
@Timeout(120)
class DisniBridgeTest {
    private static final int LOCAL_INV = 7;

    private final ExecutorService executor = Executors.newCachedThreadPool();
    private DisniPeer server;
    private DisniPeer client;

    @BeforeAll
    static void install() {
        Disni.install();
    }

    @BeforeEach
    void connect() throws Exception {
        InetSocketAddress own = RdmaAddress.anyPort();
        server = new DisniPeer();
        client = new DisniPeer();
        InetSocketAddress at = server.listen(own);
        Future<?> accepting = executor.submit(() -> {
            server.meet();
            server.accept(new RdmaConnParam());
            return null;
        });
        client.connect(at, new RdmaConnParam());
        accepting.get(20, TimeUnit.SECONDS);
    }

    @AfterEach
    void close() throws Exception {
        executor.shutdownNow();
        if (client != null) {
            client.close();
            server.close();
            assertThat(Disni.resources().eventChannels()).isZero();
            Disni.shutdown();
        }
    }

    @Test
    void disnisOwnAtomicsAreCarriedOut() throws Exception {
        server.buffer.putLong(512, 40);
        IbvSendWR add = client.request(1, IbvSendWR.IBV_WR_ATOMIC_FETCH_AND_ADD, 0, 8);
        add.getAtomic().setRemote_addr(server.address + 512);
        add.getAtomic().setRkey(server.mr.getRkey());
        add.getAtomic().setCompare_add(2);
        IbvSendWR swap = client.request(2, IbvSendWR.IBV_WR_ATOMIC_CMP_AND_SWP, 8, 8);
        swap.getAtomic().setRemote_addr(server.address + 512);
        swap.getAtomic().setRkey(server.mr.getRkey());
        swap.getAtomic().setCompare_add(42);
        swap.getAtomic().setSwap(-7);
        client.post(add, swap);
        assertThat(IbvWC.IbvWcOpcode.valueOf(client.succeed(1).getOpcode())).isEqualTo(IbvWC.IbvWcOpcode.IBV_WC_FETCH_ADD);
        assertThat(IbvWC.IbvWcOpcode.valueOf(client.succeed(2).getOpcode())).isEqualTo(IbvWC.IbvWcOpcode.IBV_WC_COMP_SWAP);
        assertThat(client.buffer.getLong(0)).isEqualTo(40);
        assertThat(client.buffer.getLong(8)).isEqualTo(42);
        assertThat(server.buffer.getLong(512)).isEqualTo(-7);
    }

    @Test
    void leaseholdDoesAnAtomicAndDisniPollsIt() throws Exception {
        server.buffer.putLong(512, 5);
        QueuePair pair = Disni.queuePair(client.id);
        assertThat(pair).isSameAs(Disni.queuePair(client.qp));
        assertThat(pair.state()).isEqualTo(QueuePairState.RTS);
        assertThat(pair.remoteAddress()).isNotNull().satisfies(peer -> assertThat(peer.number()).isEqualTo(server.qp.getQp_num()));
        MemoryRegion region = Disni.memoryRegion(client.mr);
        assertThat(pair.newSendBatch().compareAndSwap(9, region, 16, server.address + 512, server.mr.getRkey(), 5, 6).post())
                .isEqualTo(PostStatus.POSTED);
        assertThat(client.succeed(9).getQp_num()).isEqualTo(pair.number());
        assertThat(client.buffer.getLong(16)).isEqualTo(5);
        assertThat(server.buffer.getLong(512)).isEqualTo(6);
    }

    @Test
    void aWindowIsBoundUsedAndRevoked() throws Exception {
        QueuePair pair = Disni.queuePair(server.id);
        ProtectionDomain domain = Disni.protectionDomain(server.pd);
        MemoryRegion region = Disni.memoryRegion(server.mr);
        try (MemoryWindow window = domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B)) {
            int key = new RemoteKey(window.remoteKey()).next().value();
            pair.newSendBatch().bindMemoryWindow(1, window, key, region, region.address() + 256, 64,
                    AccessFlag.mask(AccessFlag.REMOTE_READ, AccessFlag.REMOTE_WRITE)).post();
            server.succeed(1);
            assertThat(Disni.device(server.context).resources().boundWindows()).isEqualTo(1);
            client.buffer.putLong(0, 0x1122_3344_5566_7788L);
            client.post(client.rdma(2, IbvSendWR.IBV_WR_RDMA_WRITE, 0, 8, server.address + 256, key));
            client.succeed(2);
            assertThat(server.buffer.getLong(256)).isEqualTo(0x1122_3344_5566_7788L);
            revoke(key);
            assertThat(Disni.device(server.context).resources().boundWindows()).isZero();
            client.post(client.rdma(4, IbvSendWR.IBV_WR_RDMA_READ, 0, 8, server.address + 256, key));
            IbvWC refused = client.complete();
            assertThat(IbvWcStatus.valueOf(refused.getStatus())).isEqualTo(IbvWcStatus.IBV_WC_REM_ACCESS_ERR);
            assertThat(refused.getWr_id()).isEqualTo(4);
            assertThat(refused.getQp_num()).as("lost by DiSNI's own provider").isEqualTo(client.qp.getQp_num());
            assertThat(client.qp.getState()).isEqualTo(com.ibm.disni.verbs.IbvQP.IBV_QPS_ERR);
        }
    }

    /// By a request of DiSNI's, which has no word for it, but room.
    private void revoke(int key) throws IOException {
        IbvSendWR invalidate = new IbvSendWR();
        invalidate.setWr_id(3);
        invalidate.setOpcode(LOCAL_INV);
        invalidate.setSend_flags(IbvSendWR.IBV_SEND_SIGNALED);
        invalidate.setImm_data(key);
        server.post(invalidate);
        server.succeed(3);
    }

    @Test
    void leaseholdPollsWhatDisniPosted() throws Exception {
        client.post(client.rdma(5, IbvSendWR.IBV_WR_RDMA_WRITE, 0, 8, server.address, server.mr.getRkey()));
        WorkCompletion completion = new WorkCompletion();
        var queue = Disni.completionQueue(client.cq);
        assertThat(queue.await(Duration.ofSeconds(10))).isTrue();
        assertThat(queue.poll(completion)).isTrue();
        assertThat(completion.id()).isEqualTo(5);
        assertThat(completion.succeeded()).isTrue();
        assertThat(client.drain()).isZero();
    }

    @Test
    void severalRangesAreGatheredAndScattered() throws Exception {
        client.buffer.putInt(0, 0x01010101).putInt(100, 0x02020202);
        IbvSendWR gather = client.rdma(1, IbvSendWR.IBV_WR_RDMA_WRITE, 0, 4, server.address + 700, server.mr.getRkey());
        gather.getSg_list().addAll(client.range(100, 4));
        gather.setNum_sge(2);
        client.post(gather);
        client.succeed(1);
        assertThat(server.buffer.getLong(700)).isEqualTo(0x02020202_01010101L);
    }

    @Test
    void whatIsDestroyedCannotBeUsed() throws Exception {
        QueuePair pair = Disni.queuePair(client.qp);
        var qp = client.qp;
        var cq = client.cq;
        client.hangUp();
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> qp.postSend(java.util.List.of(), null))
                .withMessageContaining("is destroyed");
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> cq.poll(new IbvWC[0], 0)).withMessageContaining("is destroyed");
        assertThatExceptionOfType(RdmaException.class).isThrownBy(() -> Disni.queuePair(qp))
                .satisfies(e -> assertThat(e.error()).isEqualTo(RdmaError.CLOSED));
        assertThat(pair.newSendBatch().localInvalidate(1, 1).post()).isEqualTo(PostStatus.CLOSED);
    }
}
