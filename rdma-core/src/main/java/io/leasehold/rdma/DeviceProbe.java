package io.leasehold.rdma;

import static io.leasehold.rdma.AccessFlag.LOCAL_WRITE;
import static io.leasehold.rdma.AccessFlag.MW_BIND;
import static io.leasehold.rdma.AccessFlag.REMOTE_ATOMIC;
import static io.leasehold.rdma.AccessFlag.REMOTE_READ;
import static io.leasehold.rdma.AccessFlag.REMOTE_WRITE;
import static io.leasehold.rdma.WorkCompletionStatus.REM_ACCESS_ERR;
import static io.leasehold.rdma.WorkCompletionStatus.SUCCESS;

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
            probe.trials.add(new ProbeReport.Trial("what was tried can be closed", false, String.valueOf(e.getMessage())));
        }
        return new ProbeReport(device.attributes().name(), probe.trials);
    }

    private void tryAll() {
        if (!device.attributes().windowTypes().contains(MemoryWindowType.TYPE_2B)) {
            trials.add(new ProbeReport.Trial("has memory windows of type 2B", false,
                    "it has " + device.attributes().windowTypes()));
            return;
        }
        for (Verb given : Verb.values()) {
            for (Verb used : Verb.values()) {
                boolean allowed = given == used;
                expect("a window bound for " + given + (allowed ? " opens to " : " refuses ") + used,
                        allowed ? SUCCESS : REM_ACCESS_ERR, given.right, pair -> pair.access(used, 0));
            }
        }
        refuses("the 8 bytes behind a window cannot be read", pair -> pair.access(Verb.READ, WINDOW_BYTES));
        refuses("the byte behind a window cannot be read", pair -> pair.access(WINDOW_BYTES, 1));
        refuses("the byte before a window cannot be read", pair -> pair.access(-1, 1));
        refuses("a read across the end of a window is refused", pair -> pair.access(WINDOW_BYTES - 4, 8));
        refuses("the key of a region without remote rights opens nothing", pair -> {
            pair.key = region.remoteKey();
            return pair.access(Verb.READ, 0);
        });
        refuses("the key before the last bind opens nothing", pair -> {
            pair.key = pair.key & ~RemoteKey.VARIANT_MASK | pair.key - 1 & RemoteKey.VARIANT_MASK;
            return pair.access(Verb.READ, 0);
        });
        refuses("an invalidated key opens nothing", pair -> {
            WorkCompletionStatus invalidated = pair.finish(pair.holder, batch -> batch.localInvalidate(1, pair.key));
            return invalidated == SUCCESS ? pair.access(Verb.READ, 0) : invalidated;
        });
        refuses("the key of a closed window opens nothing", pair -> {
            pair.window.close();
            return pair.access(Verb.READ, 0);
        });
        refuses("a window answers on its own queue pair only", pair -> {
            try (Pair stranger = new Pair()) {
                stranger.key = pair.key;
                return stranger.access(Verb.READ, 0);
            }
        });
    }

    /// Something that is done with a pair, and how it ended.
    @FunctionalInterface
    private interface Attempt {
        WorkCompletionStatus make(Pair pair);
    }

    private void refuses(String name, Attempt attempt) {
        expect(name, REM_ACCESS_ERR, REMOTE_READ, attempt);
    }

    private void expect(String name, WorkCompletionStatus expected, AccessFlag right, Attempt attempt) {
        String detail;
        boolean passed = false;
        try (Pair pair = new Pair()) {
            WorkCompletionStatus bound = pair.bind(right);
            WorkCompletionStatus status = bound == SUCCESS ? attempt.make(pair) : bound;
            passed = bound == SUCCESS && status == expected;
            detail = bound == SUCCESS ? "ended with " + status + " instead of " + expected : "the bind ended with " + bound;
        } catch (RdmaException e) {
            detail = String.valueOf(e.getMessage());
        }
        trials.add(new ProbeReport.Trial(name, passed, detail));
    }

    /// Two queue pairs that are connected to each other, and a window of one.
    private final class Pair implements AutoCloseable {
        private final CompletionQueue completions = device.createCompletionQueue(16);
        private final QueuePair holder;
        private final QueuePair user;
        private final MemoryWindow window;
        private final WorkCompletion completion = new WorkCompletion();
        private int key;

        Pair() {
            QueuePairOptions options = QueuePairOptions.of(completions, completions).withDepth(4, 1).withMaxInlineBytes(0)
                    .withMaxReadAtomic(1);
            holder = domain.createQueuePair(options);
            user = domain.createQueuePair(options);
            window = domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B);
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

        WorkCompletionStatus bind(AccessFlag right) {
            key = new RemoteKey(window.remoteKey()).next().value();
            return finish(holder, batch -> batch.bindMemoryWindow(1, window, key, region, region.address() + WINDOW_OFFSET,
                    WINDOW_BYTES, right.bit()));
        }

        /// Reads `lengthBytes` from `offset` in the window.
        WorkCompletionStatus access(int offset, int lengthBytes) {
            long address = region.address() + WINDOW_OFFSET + offset;
            return finish(user, batch -> batch.read(1, region, ANSWER_OFFSET, lengthBytes, address, key));
        }

        WorkCompletionStatus access(Verb verb, int offset) {
            long address = region.address() + WINDOW_OFFSET + offset;
            return switch (verb) {
                case READ -> access(offset, Long.BYTES);
                case WRITE -> finish(user, batch -> batch.write(1, region, ANSWER_OFFSET, Long.BYTES, address, key));
                case ATOMIC -> finish(user, batch -> batch.fetchAndAdd(1, region, ANSWER_OFFSET, address, key, 1));
            };
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
            window.close();
            user.close();
            holder.close();
            completions.close();
        }
    }
}
