package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.ResourceCounts;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionOpcode;
import io.leasehold.rdma.WorkCompletionStatus;
import io.leasehold.testkit.Await;
import io.leasehold.testkit.MutantDevice;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/// A session at a [ScriptedNode] whose device reports what the test wants: requests that were carried out as in doubt.
final class DoubtfulClient implements AutoCloseable {
    static final RemoteAddress START = new RemoteAddress(0, 0);
    static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(2);
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    final ScriptedNode node;
    final MutantDevice device;
    final Session session;
    private final AtomicLong leaps = new AtomicLong();

    DoubtfulClient() {
        this(Link.LOCAL);
    }

    DoubtfulClient(Link link) {
        DeviceOptions options = DeviceOptions.soft().withLinks(link);
        node = new ScriptedNode(options);
        device = MutantDevice.of(RdmaDevice.open(options));
        session = Session.connect(device, node.address(), SessionOptions.defaults()
                .withTimeouts(Duration.ofSeconds(2), REQUEST_TIMEOUT).withClock(() -> SystemClock.NANOS.getAsLong() + leaps.get()));
    }

    Lease lease(Duration term) {
        return session.acquireWrite(START, 65536, term);
    }

    /// Has the next `count` completions of `opcode` reported as those of a connection that broke, after `before` has run.
    void doubt(WorkCompletionOpcode opcode, int count, Runnable before) {
        report(WorkCompletionStatus.RETRY_EXC_ERR, opcode, count, before);
    }

    /// Has the next `count` completions of `opcode` reported with `status`, after `before` has run.
    void report(WorkCompletionStatus status, WorkCompletionOpcode opcode, int count, Runnable before) {
        AtomicInteger left = new AtomicInteger(count);
        device.testify(completion -> {
            if (completion.opcode() != opcode || !completion.succeeded() || left.getAndDecrement() <= 0) {
                return completion.status();
            }
            before.run();
            return status;
        });
    }

    /// All completions are reported as they are.
    void believe() {
        device.testify(WorkCompletion::status);
    }

    /// From now on the node answers no activation: nothing is recovered.
    void lockOut() {
        node.script = (_, request) -> request instanceof Activate ? ScriptedNode.SILENCE : null;
    }

    /// Has the client's clock leap, so that leases end here which still live at the node, and finds those.
    void leap(Duration time) {
        leaps.addAndGet(time.toNanos());
        session.core().leases().sweep();
    }

    /// Waits until the node has been told to end all leases.
    void awaitNoLease() {
        Await.until(PATIENCE, "the node was told to end all leases", node.client().leases::isEmpty);
    }

    /// Breaks the active data queue pair, at the node.
    void breakData() {
        Activate last = (Activate) node.requests.stream().filter(Activate.class::isInstance).toList().getLast();
        node.client().data.get(last.index()).toError();
    }

    /// The lease word of the first lease.
    long word() {
        return node.words.get(ValueLayout.JAVA_LONG, 0);
    }

    void setWord(long word) {
        node.words.set(ValueLayout.JAVA_LONG, 0, word);
    }

    /// The deadline of the first lease as the node sees it, from its grant.
    Duration granted(Lease lease) {
        return Duration.ofNanos(LeaseWord.unitsOf(word()) * node.client().leases.get(lease.id()).unitNanos());
    }

    @Override
    public void close() {
        believe();
        session.close();
        try {
            Await.until(PATIENCE, "the device has nothing left", () -> withoutThreads(device.resources()).equals(ResourceCounts.NONE));
        } catch (AssertionError e) {
            throw new AssertionError(e.getMessage() + ", but has " + device.resources(), e);
        }
        device.close();
        node.close();
    }

    private static ResourceCounts withoutThreads(ResourceCounts counts) {
        return new ResourceCounts(counts.protectionDomains(), counts.regions(), counts.windows(), counts.boundWindows(),
                counts.queuePairs(), counts.completionQueues(), 0);
    }
}
