package io.leasehold.rdma;

import static io.leasehold.rdma.AccessFlag.LOCAL_WRITE;
import static io.leasehold.rdma.AccessFlag.MW_BIND;
import static io.leasehold.rdma.AccessFlag.REMOTE_ATOMIC;
import static io.leasehold.rdma.AccessFlag.REMOTE_READ;
import static io.leasehold.rdma.AccessFlag.REMOTE_WRITE;
import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;

import io.leasehold.rdma.ProbeReport.Subject;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.function.Consumer;

/// Tries what protection rests on, with queue pairs of one device that are connected to each other.
///
/// A refused access breaks both queue pairs, so each attempt has two of its own.
final class DeviceProbe {
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final int REGION_BYTES = 4096;
    private static final int WINDOW_OFFSET = 1024;
    private static final int WINDOW_BYTES = 64;
    private static final int ANSWER_OFFSET = 2048;

    private final RdmaDevice device;
    private final ProtectionDomain domain;
    private final MemoryRegion region;
    private final List<ProbeReport.Trial> trials = new ArrayList<>();

    /// The kinds of access to 8 bytes.
    private enum Verb {
        READ(REMOTE_READ),
        WRITE(REMOTE_WRITE),
        ATOMIC(REMOTE_ATOMIC);

        private final AccessFlag right;

        Verb(AccessFlag right) {
            this.right = right;
        }
    }

    /// What opens a part of memory.
    private enum Kind {
        WINDOW(Subject.WINDOWS, "a window", " bound for "),
        REGION(Subject.REGIONS, "a region", " registered for ");

        private final Subject subject;
        private final String what;
        private final String made;

        Kind(Subject subject, String what, String made) {
            this.subject = subject;
            this.what = what;
            this.made = made;
        }
    }

    private DeviceProbe(RdmaDevice device, ProtectionDomain domain, MemoryRegion region) {
        this.device = device;
        this.domain = domain;
        this.region = region;
    }

    static ProbeReport run(RdmaDevice device) {
        Arena arena = Arena.ofShared();
        ProtectionDomain domain = device.allocateProtectionDomain();
        MemoryRegion region = domain.register(arena.allocate(REGION_BYTES, REGION_BYTES), EnumSet.of(LOCAL_WRITE, MW_BIND));
        var probe = new DeviceProbe(device, domain, region);
        probe.tryAll();
        try {
            region.close();
            domain.close();
            arena.close();
        } catch (RdmaException e) {
            // The memory stays: the device says that it may still touch it.
            probe.trials.add(new ProbeReport.Trial(Subject.REGIONS, "what was tried can be closed", false, String.valueOf(e.getMessage())));
        }
        return new ProbeReport(device.attributes().name(), probe.trials);
    }

    private void tryAll() {
        if (device.attributes().windowTypes().contains(MemoryWindowType.TYPE_2B)) {
            tryWindows();
        } else {
            trials.add(new ProbeReport.Trial(Subject.WINDOWS, "has memory windows of type 2B", false,
                    "it has " + device.attributes().windowTypes()));
        }
        tryRegions();
    }

    private void tryWindows() {
        tryRightsAndBounds(Kind.WINDOW);
        refuses(Kind.WINDOW, "the key before the last bind opens nothing", pair -> {
            pair.key = pair.key & ~RemoteKey.VARIANT_MASK | pair.key - 1 & RemoteKey.VARIANT_MASK;
            return pair.access(Verb.READ, 0);
        });
        refuses(Kind.WINDOW, "an invalidated key opens nothing", pair -> {
            WorkCompletionStatus invalidated = pair.finish(pair.holder, batch -> batch.localInvalidate(1, pair.key));
            return invalidated == SUCCESS ? pair.access(Verb.READ, 0) : invalidated;
        });
        refuses(Kind.WINDOW, "the key of a closed window opens nothing", pair -> {
            pair.close(pair.opened);
            return pair.access(Verb.READ, 0);
        });
        refuses(Kind.WINDOW, "a window answers on its own queue pair only", pair -> {
            try (Pair stranger = new Pair(domain)) {
                stranger.key = pair.key;
                return stranger.access(Verb.READ, 0);
            }
        });
    }

    private void tryRegions() {
        tryRightsAndBounds(Kind.REGION);
        refuses(Kind.REGION, "the key of a region without remote rights opens nothing", pair -> {
            pair.key = region.remoteKey();
            return pair.access(Verb.READ, 0);
        });
        refuses(Kind.REGION, "the key of a closed region opens nothing", pair -> {
            pair.close(pair.opened);
            return pair.access(Verb.READ, 0);
        });
        ProtectionDomain other = device.allocateProtectionDomain();
        refuses(Kind.REGION, "a region answers on queue pairs of its own protection domain only", pair -> {
            try (Pair stranger = new Pair(other)) {
                stranger.key = pair.key;
                return stranger.access(Verb.READ, 0);
            }
        });
        other.close();
    }

    private void tryRightsAndBounds(Kind kind) {
        for (Verb given : Verb.values()) {
            for (Verb used : Verb.values()) {
                boolean allowed = given == used;
                expect(kind, kind.what + kind.made + given + (allowed ? " opens to " : " refuses ") + used,
                        allowed ? SUCCESS : REM_ACCESS_ERR, given, pair -> pair.access(used, 0));
            }
        }
        refuses(kind, "the 8 bytes behind " + kind.what + " cannot be read", pair -> pair.access(Verb.READ, WINDOW_BYTES));
        refuses(kind, "the byte behind " + kind.what + " cannot be read", pair -> pair.access(Verb.READ, WINDOW_BYTES, 1));
        refuses(kind, "the byte before " + kind.what + " cannot be read", pair -> pair.access(Verb.READ, -1, 1));
        refuses(kind, "a read across the end of " + kind.what + " is refused",
                pair -> pair.access(Verb.READ, WINDOW_BYTES - 4, 8));
        expect(kind, "the byte behind " + kind.what + " cannot be written", REM_ACCESS_ERR, Verb.WRITE,
                pair -> pair.access(Verb.WRITE, WINDOW_BYTES, 1));
        expect(kind, "the word behind " + kind.what + " cannot be added to", REM_ACCESS_ERR, Verb.ATOMIC,
                pair -> pair.access(Verb.ATOMIC, WINDOW_BYTES));
    }

    /// Something that is done with a pair, and how it ended.
    @FunctionalInterface
    private interface Attempt {
        WorkCompletionStatus make(Pair pair);
    }

    private void refuses(Kind kind, String name, Attempt attempt) {
        expect(kind, name, REM_ACCESS_ERR, Verb.READ, attempt);
    }

    private void expect(Kind kind, String name, WorkCompletionStatus expected, Verb given, Attempt attempt) {
        String detail;
        boolean passed = false;
        try (Pair pair = new Pair(domain)) {
            WorkCompletionStatus opened = pair.open(kind, given.right);
            WorkCompletionStatus status = opened == SUCCESS ? attempt.make(pair) : opened;
            passed = opened == SUCCESS && status == expected;
            detail = opened == SUCCESS ? "ended with " + status + " instead of " + expected : "the bind ended with " + opened;
        } catch (RdmaException e) {
            detail = String.valueOf(e.getMessage());
        }
        trials.add(new ProbeReport.Trial(kind.subject, name, passed, detail));
    }

    /// Two queue pairs that are connected to each other, and what is opened through them.
    private final class Pair implements AutoCloseable {
        private final CompletionQueue completions = device.createCompletionQueue(16);
        private final QueuePair holder;
        private final QueuePair user;
        private final WorkCompletion completion = new WorkCompletion();
        private AutoCloseable opened = () -> { };
        private int key;

        /// @param holderDomain where the queue pair is through which others get in
        Pair(ProtectionDomain holderDomain) {
            QueuePairOptions options = QueuePairOptions.of(completions, completions).withDepth(4, 1).withMaxInlineBytes(0)
                    .withMaxReadAtomic(1);
            holder = holderDomain.createQueuePair(options);
            user = domain.createQueuePair(options);
            try {
                holder.toInit();
                user.toInit();
                holder.toReadyToReceive(user.address());
                user.toReadyToReceive(holder.address());
                holder.toReadyToSend(PATIENCE);
                user.toReadyToSend(PATIENCE);
            } catch (RuntimeException e) {
                close();
                throw e;
            }
        }

        WorkCompletionStatus open(Kind kind, AccessFlag right) {
            if (kind == Kind.REGION) {
                MemoryRegion registered = domain.register(region.memory().asSlice(WINDOW_OFFSET, WINDOW_BYTES),
                        EnumSet.of(LOCAL_WRITE, right));
                opened = registered;
                key = registered.remoteKey();
                return SUCCESS;
            }
            MemoryWindow window = domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B);
            opened = window;
            key = new RemoteKey(window.remoteKey()).next().value();
            return finish(holder, batch -> batch.bindMemoryWindow(1, window, key, region, region.address() + WINDOW_OFFSET,
                    WINDOW_BYTES, right.bit()));
        }

        WorkCompletionStatus access(Verb verb, int offset) {
            return access(verb, offset, Long.BYTES);
        }

        /// Touches `lengthBytes` from `offset` in what is open.
        WorkCompletionStatus access(Verb verb, int offset, int lengthBytes) {
            long address = region.address() + WINDOW_OFFSET + offset;
            return finish(user, batch -> {
                switch (verb) {
                    case READ -> batch.read(1, region, ANSWER_OFFSET, lengthBytes, address, key);
                    case WRITE -> batch.write(1, region, ANSWER_OFFSET, lengthBytes, address, key);
                    case ATOMIC -> batch.fetchAndAdd(1, region, ANSWER_OFFSET, address, key, 1);
                }
            });
        }

        void close(AutoCloseable ended) {
            try {
                ended.close();
            } catch (RuntimeException e) {
                throw e;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        }

        WorkCompletionStatus finish(QueuePair poster, Consumer<SendBatch> request) {
            SendBatch batch = poster.newSendBatch();
            request.accept(batch);
            PostStatus posted = batch.post();
            if (posted != PostStatus.POSTED) {
                throw new RdmaException(RdmaError.INVALID_STATE, "a request was not posted: " + posted);
            }
            Deadline deadline = Deadline.after(PATIENCE);
            try {
                while (completions.await(Duration.ofNanos(deadline.remainingNanos()))) {
                    if (completions.poll(completion) && completion.queuePairNumber() == poster.number()) {
                        return completion.status();
                    }
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            throw new RdmaException(RdmaError.TIMEOUT, "a request did not complete within " + PATIENCE);
        }

        @Override
        public void close() {
            close(opened);
            user.close();
            holder.close();
            completions.close();
        }
    }
}
