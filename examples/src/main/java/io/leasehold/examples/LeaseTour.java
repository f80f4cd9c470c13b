package io.leasehold.examples;

import io.leasehold.lease.AccessDeniedException;
import io.leasehold.lease.Lease;
import io.leasehold.lease.LeaseConflictException;
import io.leasehold.lease.LeaseExpiredException;
import io.leasehold.lease.LeaseRequest;
import io.leasehold.lease.MemoryNode;
import io.leasehold.lease.NodeOptions;
import io.leasehold.lease.RemoteAddress;
import io.leasehold.lease.Session;
import io.leasehold.lease.SessionOptions;
import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/// What a lease allows and what it does not: acquire, write, extend, expire, a refused write, and the recovery from it. Prints
/// how long each step took the first time and how long in the middle of many.
///
/// Takes `--node ADDRESS` to use a node in another process; else it starts one in its own, on `--device DEVICE` if that is named:
/// `soft`, `verbs` or `verbs:NAME`.
public final class LeaseTour {
    private static final int BYTES = 4096;
    private static final int ROUNDS = 101;
    private static final Duration TERM = Duration.ofSeconds(2);
    private static final Duration SHORT_TERM = Duration.ofMillis(5);

    /// Nanoseconds that each step took, one a round.
    private final Map<String, List<Long>> times = new LinkedHashMap<>();
    private final Session session;
    private final StoppableClock clock;

    private LeaseTour(Session session, StoppableClock clock) {
        this.session = session;
        this.clock = clock;
    }

    /// The system's monotonic clock, which can be made to stand still for a while.
    private static final class StoppableClock implements LongSupplier {
        private volatile OptionalLong stoppedAtNanos = OptionalLong.empty();

        void stop() {
            stoppedAtNanos = OptionalLong.of(System.nanoTime());
        }

        void resume() {
            stoppedAtNanos = OptionalLong.empty();
        }

        @Override
        public long getAsLong() {
            return stoppedAtNanos.orElseGet(System::nanoTime);
        }
    }

    /// Runs it.
    public static void main(String[] args) throws InterruptedException {
        if (args.length == 2 && args[0].equals("--node")) {
            tour(args[1]);
        } else if (args.length == 0 || args.length == 2 && args[0].equals("--device")) {
            DeviceOptions device = DeviceOptions.parse(args.length == 0 ? "soft" : args[1]);
            try (MemoryNode node = MemoryNode.start(NodeOptions.ofMemory(64 << 20).withDevice(device))) {
                tour(node.address().toString());
            }
        } else {
            System.err.println("Usage: LeaseTour [--node ADDRESS | --device DEVICE]");
            System.exit(2);
        }
    }

    private static void tour(String node) throws InterruptedException {
        StoppableClock clock = new StoppableClock();
        DeviceOptions device = DeviceOptions.parse(EndpointAddress.parse(node).provider());
        try (Session session = Session.connect(node, SessionOptions.defaults().withDevice(device).withClock(clock))) {
            LeaseTour tour = new LeaseTour(session, clock);
            RemoteAddress memory = session.allocate(2 * BYTES);
            for (int round = 0; round < ROUNDS; round++) {
                tour.use(memory);
                tour.expire(memory);
                tour.breakAndRecover(memory);
            }
            tour.print(node);
        }
    }

    private void use(RemoteAddress memory) {
        Lease lease = timed("acquire a lease to write 4 KiB", () -> session.acquireWrite(memory, BYTES, TERM));
        timed("  write 8 bytes", () -> lease.write(0, new byte[] {1, 2, 3, 4, 5, 6, 7, 8}));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment page = arena.allocate(BYTES);
            timed("  read 4 KiB", () -> lease.read(0, page));
        }
        timed("  compare-and-swap", () -> lease.compareAndSwap(8, 0, 0));
        timed("  fetch-and-add", () -> lease.fetchAndAdd(16, 1));
        timed("  extend it, without the node's CPU", () -> lease.extend(TERM));
        timed("  acquire another lease to write there: refused", () -> requireConflict(memory));
        timed("  relinquish it", lease::close);
    }

    private void expire(RemoteAddress memory) throws InterruptedException {
        Lease lease = session.acquireWrite(memory, BYTES, SHORT_TERM);
        long start = System.nanoTime();
        while (lease.isLive()) {
            TimeUnit.MICROSECONDS.sleep(100);
        }
        record("let a lease of 5 ms expire", System.nanoTime() - start);
        if (!timed("  write after that: refused by the client itself", () -> isRefused(() -> lease.write(0, new byte[8])))) {
            throw new IllegalStateException("a write was carried out after the end of its lease");
        }
        // The node revokes the lease by itself, and then grants the next one: no one has to give anything back.
        timed("  acquire the range again", () -> session.acquireWrite(memory, BYTES, TERM)).close();
    }

    private void breakAndRecover(RemoteAddress memory) throws InterruptedException {
        // A client whose clock stands still does not see its leases end; the node's device does.
        clock.stop();
        try (Lease other = session.acquireWrite(memory.plus(BYTES), BYTES, TERM);
                Lease forgotten = session.acquireWrite(memory, BYTES, SHORT_TERM)) {
            long start;
            do {
                TimeUnit.MILLISECONDS.sleep(1);
                start = System.nanoTime();
            } while (!isRefused(() -> forgotten.write(0, new byte[8])));
            record("write after the end, unaware of it: refused by the node's device", System.nanoTime() - start);
            clock.resume();
            // The refusal broke the queue pair, as on hardware; the session moved to a spare one, and its live leases with it.
            timed("  write under another lease, on the spare queue pair", () -> other.write(0, new byte[8]));
        } finally {
            clock.resume();
        }
    }

    private void requireConflict(RemoteAddress memory) {
        try {
            session.acquire(LeaseRequest.write(memory, BYTES, TERM).withPatience(Duration.ZERO));
        } catch (LeaseConflictException e) {
            return;
        }
        throw new IllegalStateException("two leases to write the same range were granted at the same time");
    }

    private static boolean isRefused(Runnable operation) {
        try {
            operation.run();
            return false;
        } catch (AccessDeniedException | LeaseExpiredException e) {
            return true;
        }
    }

    private <T> T timed(String step, Supplier<T> action) {
        long start = System.nanoTime();
        T result = action.get();
        record(step, System.nanoTime() - start);
        return result;
    }

    private void timed(String step, Runnable action) {
        long start = System.nanoTime();
        action.run();
        record(step, System.nanoTime() - start);
    }

    private void record(String step, long nanos) {
        times.computeIfAbsent(step, _ -> new ArrayList<>()).add(nanos);
    }

    private void print(String node) {
        System.out.println("Leases of " + node + ", microseconds");
        System.out.printf("%-68s%12s%12s%n", "", "first time", "median");
        times.forEach((step, nanos) -> {
            long first = nanos.getFirst();
            long median = nanos.stream().sorted().skip(nanos.size() / 2).findFirst().orElseThrow();
            System.out.printf(Locale.ROOT, "%-68s%,12.1f%,12.1f%n", step, first / 1e3, median / 1e3);
        });
    }
}
