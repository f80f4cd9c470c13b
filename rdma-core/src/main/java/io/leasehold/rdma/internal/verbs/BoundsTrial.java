package io.leasehold.rdma.internal.verbs;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.RemoteKey;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import io.leasehold.rdma.WorkCompletionStatus;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.EnumSet;
import java.util.function.Consumer;

/// Reads the byte behind a window of a device that was just opened: a device may bind windows and check no more than the bounds of
/// the region below, as the kernel's software device does.
final class BoundsTrial {
    private static final Duration PATIENCE = Duration.ofSeconds(5);
    private static final int REGION_BYTES = 4096;
    private static final int WINDOW_BYTES = 64;
    private static final System.Logger LOG = System.getLogger(BoundsTrial.class.getName());

    private final VerbsQueuePair holder;
    private final VerbsQueuePair user;
    private final CompletionQueue completions;
    private final WorkCompletion completion = new WorkCompletion();

    private BoundsTrial(VerbsQueuePair holder, VerbsQueuePair user, CompletionQueue completions) {
        this.holder = holder;
        this.user = user;
        this.completions = completions;
    }

    /// Whether the device reads inside a window and refuses to read one byte behind it. A device without windows of type 2 fails.
    static boolean passes(VerbsDevice device) {
        if (!device.attributes().windowTypes().contains(MemoryWindowType.TYPE_2B)) {
            return false;
        }
        try (Arena arena = Arena.ofConfined(); ProtectionDomain domain = device.allocateProtectionDomain();
                CompletionQueue completions = device.createCompletionQueue(16);
                MemoryRegion region = domain.register(arena.allocate(REGION_BYTES, REGION_BYTES),
                        EnumSet.of(AccessFlag.LOCAL_WRITE, AccessFlag.MW_BIND));
                VerbsQueuePair holder = (VerbsQueuePair) domain.createQueuePair(options(completions));
                VerbsQueuePair user = (VerbsQueuePair) domain.createQueuePair(options(completions));
                MemoryWindow window = domain.allocateMemoryWindow(MemoryWindowType.TYPE_2B)) {
            VerbsQueuePair.joinWithin(holder, user);
            return new BoundsTrial(holder, user, completions).run(window, region);
        } catch (RdmaException e) {
            LOG.log(System.Logger.Level.WARNING, "device {0}: its windows could not be tried: {1}", device.attributes().name(),
                    e.getMessage());
            return false;
        }
    }

    private static QueuePairOptions options(CompletionQueue completions) {
        return QueuePairOptions.of(completions, completions).withDepth(4, 1).withMaxInlineBytes(0).withMaxReadAtomic(1)
                .withTimeouts(Duration.ofMillis(500), Duration.ofMillis(100));
    }

    private boolean run(MemoryWindow window, MemoryRegion region) {
        int key = new RemoteKey(window.remoteKey()).next().value();
        long address = region.address() + REGION_BYTES / 2;
        boolean bound = finish(holder, batch -> batch.bindMemoryWindow(1, window, key, region, address, WINDOW_BYTES,
                AccessFlag.REMOTE_READ.bit())) == WorkCompletionStatus.SUCCESS;
        return bound
                && finish(user, batch -> batch.read(2, region, 0, 1, address + WINDOW_BYTES - 1, key))
                        == WorkCompletionStatus.SUCCESS
                && finish(user, batch -> batch.read(3, region, 0, 1, address + WINDOW_BYTES, key))
                        == WorkCompletionStatus.REM_ACCESS_ERR;
    }

    private WorkCompletionStatus finish(VerbsQueuePair poster, Consumer<SendBatch> request) {
        SendBatch batch = poster.newSendBatch();
        request.accept(batch);
        PostStatus posted = batch.post();
        try {
            if (posted == PostStatus.POSTED && completions.await(PATIENCE) && completions.poll(completion)) {
                return completion.status();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return WorkCompletionStatus.GENERAL_ERR;
    }
}
