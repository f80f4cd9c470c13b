package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.RdmaDevice;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Batches that a broken queue pair flushed stand before those that wait, and are carried out when there is room.
@Timeout(60)
class DoubleReplayTest {
    private static final Duration TERM = Duration.ofSeconds(50);
    /// Of the 512 places that a session of the default depth has.
    private static final int LONG = 400;
    private static final int MIXED = 300;
    private static final int POSTED = 10;
    private static final int READ_BYTES = 65536;

    @Test
    void whatIsPostedAgainStandsBeforeWhatWaitsInItsOrder() {
        SessionState state = new SessionState(EndpointAddress.parse("soft:127.0.0.1:1"));
        Backlog backlog = new Backlog();
        List<WorkChain> chains = new ArrayList<>();
        try (RdmaDevice device = RdmaDevice.open(DeviceOptions.soft().withLinks(Link.LOCAL));
                ProtectionDomain domain = device.allocateProtectionDomain(); Arena arena = Arena.ofShared()) {
            MemorySegment memory = arena.allocate(64, 64);
            try (MemoryRegion region = domain.register(memory, Set.of(AccessFlag.LOCAL_WRITE))) {
                for (int number = 0; number < 5; number++) {
                    chains.add(new WorkChain(number, 1, region, memory));
                }
            }
        }
        assertThat(backlog.addAllFirst(List.of(), state)).isTrue();
        assertThat(backlog.isEmpty()).isTrue();
        assertThat(backlog.add(chains.get(2), state) && backlog.add(chains.get(3), state)).isTrue();
        assertThat(backlog.addAllFirst(chains.subList(0, 2), state)).isTrue();
        assertThat(backlog.add(chains.get(4), state)).isTrue();
        assertThat(backlog.remove(chains.get(1))).isTrue();
        List<WorkChain> polled = new ArrayList<>();
        for (WorkChain chain = backlog.poll(); chain != null; chain = backlog.poll()) {
            assertThat(backlog.isEmpty()).isFalse();
            backlog.settled();
            polled.add(chain);
        }
        assertThat(polled).containsExactly(chains.get(0), chains.get(2), chains.get(3), chains.get(4));
        assertThat(backlog.isEmpty()).isTrue();
        state.end(SessionState.End.CLOSED, "test", null);
        assertThat(backlog.addAllFirst(chains.subList(0, 1), state)).isFalse();
        assertThat(backlog.poll()).isNull();
    }

    @Test
    void flushedBatchesAreCarriedOutAsFarAsTheirLeasesLive() throws Exception {
        try (DoubtfulClient client = new DoubtfulClient(Link.TCP)) {
            Lease lease = client.lease(TERM);
            Lease ended = client.session.acquireWrite(new RemoteAddress(0, 65536), 64, TERM);
            Batch all = client.session.batch();
            for (int i = 0; i < LONG; i++) {
                all.read(lease, 0, READ_BYTES);
            }
            Batch mixed = client.session.batch();
            MemorySegment bytes = MemorySegment.ofArray(new byte[] {1, 2, 3, 4, 5, 6, 7, 8});
            for (int i = 0; i < MIXED; i++) {
                mixed.write(i < POSTED ? lease : ended, 0, bytes);
            }
            ended.close();
            CompletableFuture<Void> mixedEnd = mixed.executeAsync();
            CompletableFuture<Void> longEnd = all.executeAsync();
            client.breakData();
            longEnd.get(20, TimeUnit.SECONDS);
            assertThatThrownBy(() -> mixedEnd.get(20, TimeUnit.SECONDS)).isInstanceOf(ExecutionException.class)
                    .hasCauseInstanceOf(LeaseExpiredException.class);
            assertThat(mixed.outcome(POSTED - 1)).isEqualTo(Batch.Outcome.DONE);
            assertThat(mixed.outcome(POSTED)).isEqualTo(Batch.Outcome.REFUSED);
            all.close();
            mixed.close();
        }
    }
}
