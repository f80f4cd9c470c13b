package io.leasehold.lease;

import static org.assertj.core.api.Assertions.assertThat;

import io.leasehold.lease.ControlMessage.Acquire;
import io.leasehold.lease.ControlMessage.Allocate;
import io.leasehold.lease.ControlMessage.AllocateExtent;
import io.leasehold.lease.ControlMessage.Allocated;
import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Heap;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Reply;
import io.leasehold.lease.ControlMessage.Request;
import io.leasehold.rdma.Link;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;

/// A node whose time stands still unless a test moves it, with clients that do what a test tells them. Closing it lets the
/// clients vanish and their sessions end, and checks that nothing is left of them.
final class NodeFixture implements AutoCloseable {
    static final long MILLI = 1_000_000;
    static final int READ = AccessRight.mask(Set.of(AccessRight.READ));
    static final int ALL = AccessRight.mask(EnumSet.allOf(AccessRight.class));
    static final Duration SESSION_TERM = Duration.ofHours(1);
    static final NodeOptions OPTIONS = NodeOptions.ofMemory(4 << 20).withTerms(Duration.ofSeconds(60), SESSION_TERM);

    private final Link link;
    private final AtomicLong clock = new AtomicLong(1_000_000_000_000L);
    private final List<RawClient> clients = new ArrayList<>();
    private MemoryNode node;
    private boolean nodeClosed;

    NodeFixture(Link link) {
        this.link = link;
        node = start(OPTIONS);
    }

    private MemoryNode start(NodeOptions options) {
        return MemoryNode.start(options.withClock(clock::get).withDevice(options.device().withLinks(link)));
    }

    void restart(NodeOptions options) {
        node.close();
        node = start(options);
    }

    /// A client with a session and an active data queue pair.
    RawClient client() {
        return add(RawClient.start(node.address(), link, clients.size() + 1));
    }

    /// A client that has connected nothing.
    RawClient stranger(int number) {
        return add(new RawClient(node.address(), link, new UUID(9, number)));
    }

    private RawClient add(RawClient client) {
        clients.add(client);
        return client;
    }

    NodeCounts counts() {
        return node.counts();
    }

    /// Moves the clock, and waits until the node has done what is due.
    void pass(long nanos) {
        clock.addAndGet(nanos);
        node.tick();
        node.counts();
    }

    void closeNode() {
        nodeClosed = true;
        node.close();
    }

    @Override
    public void close() {
        clients.forEach(RawClient::close);
        if (!nodeClosed) {
            try {
                pass(2 * SESSION_TERM.toNanos());
                assertNothingIsLeft(node.counts());
            } finally {
                node.close();
            }
        }
    }

    private static void assertNothingIsLeft(NodeCounts counts) {
        assertThat(counts.sessions()).isZero();
        assertThat(counts.leases()).isZero();
        assertThat(counts.keysInUse()).isZero();
        assertThat(counts.wordsInUse()).isZero();
        assertThat(counts.lockedRanges()).isZero();
        assertThat(counts.sessionBytes()).isZero();
        assertThat(counts.quarantinedBytes()).isZero();
        assertThat(counts.namedBytes() + counts.heapBytes() + counts.freeBytes()).isEqualTo(OPTIONS.memoryBytes());
        assertThat(counts.device().queuePairs()).as("the loop-back pair").isEqualTo(2);
        assertThat(counts.device().regions()).as("memory, and answers of the loop-back").isEqualTo(2);
        assertThat(counts.device().boundWindows()).isZero();
    }

    // ---- requests

    static Acquire acquire(long offset, long length, int access, LeaseMode mode, long termNanos, long patienceNanos) {
        return new Acquire(offset, length, access, mode, MILLI, (int) (termNanos / MILLI), 1000 * MILLI, patienceNanos, false);
    }

    /// A request for all rights for 10 ms, without patience.
    static Acquire exclusive(long offset, long length) {
        return acquire(offset, length, ALL, LeaseMode.EXCLUSIVE, 10 * MILLI, 0);
    }

    static Acquire wholeChunk(long offset) {
        return new Acquire(offset, 0, READ, LeaseMode.UNCHECKED, MILLI, 100, 1000 * MILLI, 0, true);
    }

    static Granted granted(RawClient client, Request request) {
        Reply reply = client.call(request);
        assertThat(reply).isInstanceOf(Granted.class);
        return (Granted) reply;
    }

    static long allocate(RawClient client, long bytes) {
        return ((Allocated) client.call(new Allocate(bytes))).offset();
    }

    static long extent(RawClient client, Heap heap, HeapKind kind) {
        return ((Allocated) client.call(new AllocateExtent(heap.heap(), kind, 64, 64))).offset();
    }

    static void assertFailed(Reply reply, Reason reason) {
        assertThat(reply).isInstanceOf(Failed.class);
        assertThat(((Failed) reply).reason()).as("%s", reply).isEqualTo(reason);
    }
}
