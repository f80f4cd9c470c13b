package io.leasehold.benchmarks;

import io.leasehold.lease.AccessRight;
import io.leasehold.lease.Batch;
import io.leasehold.lease.Lease;
import io.leasehold.lease.LeaseException;
import io.leasehold.lease.LeaseMode;
import io.leasehold.lease.LeaseRequest;
import io.leasehold.lease.RemoteAddress;
import io.leasehold.lease.Session;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// Something that is done with leases again and again.
enum LeaseWork {
    /// READ of 64 bytes.
    READ("READ", 1),
    /// 64 READs of 64 bytes with one doorbell.
    READ_BATCH("batch of 64 READs", 64),
    COMPARE_AND_SWAP("CAS", 1),
    EXTEND("extend", 1),
    /// 64 leases on 64 ranges granted with one request, and relinquished with one.
    GRANT("grant + relinquish, batches of 64", 64);

    private static final int BYTES = 64;
    private static final int RANGES = 64;
    private static final int RANGE_BYTES = 4096;
    private static final Duration TERM = Duration.ofSeconds(1);
    private static final Duration LONG_TERM = Duration.ofSeconds(60);
    private static final Duration SHORTEST = Duration.ofNanos(1_000);
    private static final int EXTENSIONS_MAX = 1_000_000;

    private final String title;
    private final int count;

    LeaseWork(String title, int count) {
        this.title = title;
        this.count = count;
    }

    String title() {
        return title;
    }

    /// How many things one step does.
    int count() {
        return count;
    }

    /// One step of the work; its resources end with the session.
    interface Step {
        void run();
    }

    /// Prepares the work.
    Step on(Session session) {
        RemoteAddress memory = session.allocate((long) RANGES * RANGE_BYTES);
        return switch (this) {
            case READ -> {
                Lease lease = session.acquire(request(memory));
                MemorySegment into = Arena.ofAuto().allocate(BYTES, Long.BYTES);
                yield () -> lease.read(0, into);
            }
            case READ_BATCH -> {
                Lease lease = session.acquire(request(memory));
                Batch batch = session.batch();
                yield () -> {
                    batch.reset();
                    for (int i = 0; i < count; i++) {
                        batch.read(lease, i * BYTES, BYTES);
                    }
                    batch.execute();
                };
            }
            case COMPARE_AND_SWAP -> {
                Lease lease = session.acquire(request(memory));
                yield () -> lease.compareAndSwap(0, 0, 0);
            }
            case EXTEND -> new Extensions(session, memory);
            case GRANT -> {
                List<LeaseRequest> requests = new ArrayList<>();
                for (int i = 0; i < RANGES; i++) {
                    requests.add(LeaseRequest.read(memory.plus((long) i * RANGE_BYTES), RANGE_BYTES, TERM));
                }
                // Those that are relinquished later go with one message as soon as there are 64.
                yield () -> session.acquireAll(requests).forEach(Lease::relinquishLater);
            }
        };
    }

    private static LeaseRequest request(RemoteAddress memory) {
        return LeaseRequest.of(memory, RANGE_BYTES, Set.of(AccessRight.values()), LeaseMode.EXCLUSIVE, LONG_TERM).autoExtended();
    }

    /// Extends a lease by so little that it does not reach its longest life; takes another when it does.
    private static final class Extensions implements Step {
        private final Session session;
        private final RemoteAddress memory;
        private Lease lease;
        private int made;

        Extensions(Session session, RemoteAddress memory) {
            this.session = session;
            this.memory = memory;
            lease = acquire();
        }

        private Lease acquire() {
            return session.acquire(LeaseRequest.of(memory, RANGE_BYTES, Set.of(AccessRight.READ), LeaseMode.SHARED, Duration.ofSeconds(30))
                    .withMaxLife(LONG_TERM));
        }

        @Override
        public void run() {
            if (made++ == EXTENSIONS_MAX || !lease.isLive()) {
                lease.close();
                lease = acquire();
                made = 0;
            }
            try {
                lease.extend(SHORTEST);
            } catch (LeaseException e) {
                lease = acquire();
                made = 0;
            }
        }
    }
}
