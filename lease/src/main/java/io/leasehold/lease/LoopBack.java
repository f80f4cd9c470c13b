package io.leasehold.lease;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.CompletionQueue;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.ProtectionDomain;
import io.leasehold.rdma.QueuePair;
import io.leasehold.rdma.QueuePairOptions;
import io.leasehold.rdma.RdmaDevice;
import io.leasehold.rdma.RdmaException;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.WorkCompletion;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.EnumSet;
import java.util.List;

/// The node's device connected to itself: the way on which the node changes lease words.
///
/// Clients compare-and-swap their words through the device, and on real hardware the device's atomics and the processor's know
/// nothing of each other; so the processor never writes such a word. The protection domain is one of its own: the keys that open
/// the words here are of no use to a client's queue pair. For one thread.
final class LoopBack implements AutoCloseable {
    private static final int DOORBELL_MAX = 256;
    private static final int FUTILE_TRIES_MAX = 4;
    private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(1);

    private static final System.Logger LOG = System.getLogger(LoopBack.class.getName());

    // What is to be closed, the last first.
    private final ArrayDeque<Runnable> opened = new ArrayDeque<>();
    private final ProtectionDomain domain;
    private final CompletionQueue completions;
    private final CompletionWait wait;
    private final Arena arena = Arena.ofShared();
    private final MemoryRegion answers;
    private final QueuePairOptions options;
    private QueuePair near;
    private QueuePair far;
    private SendBatch batch;
    private long doorbells;

    /// @param device a device that listens
    LoopBack(RdmaDevice device) {
        opened.push(arena::close);
        try {
            domain = device.allocateProtectionDomain();
            opened.push(domain::close);
            completions = device.createCompletionQueue(2 * DOORBELL_MAX);
            opened.push(completions::close);
            wait = new CompletionWait(completions, SystemClock.NANOS);
            answers = domain.register(arena.allocate(DOORBELL_MAX * Long.BYTES, Long.BYTES), EnumSet.of(AccessFlag.LOCAL_WRITE));
            opened.push(answers::close);
            options = QueuePairOptions.of(completions, completions).withDepth(DOORBELL_MAX, 1);
            near = domain.createQueuePair(options);
            opened.push(() -> near.close());
            far = domain.createQueuePair(options);
            opened.push(() -> far.close());
            batch = near.newSendBatch();
            connect();
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /// The domain in which lease words are registered for swapping.
    ProtectionDomain domain() {
        return domain;
    }

    private void connect() {
        near.toInit();
        far.toInit();
        near.toReadyToReceive(far.address());
        far.toReadyToReceive(near.address());
        near.toReadyToSend(CONNECT_TIMEOUT);
        far.toReadyToSend(CONNECT_TIMEOUT);
    }

    /// Carries out all swaps and waits for what they observed.
    ///
    /// @throws IllegalStateException if the device does not carry them out, however often they are tried
    void swap(List<WordSwap> swaps) {
        for (int from = 0; from < swaps.size(); from += DOORBELL_MAX) {
            List<WordSwap> doorbell = swaps.subList(from, Math.min(swaps.size(), from + DOORBELL_MAX));
            int done = post(doorbell);
            int futile = 0;
            while (done < doorbell.size()) {
                if (futile == FUTILE_TRIES_MAX) {
                    throw new IllegalStateException("the device carried out no compare-and-swap on its own memory in "
                            + FUTILE_TRIES_MAX + " tries; the node cannot go on");
                }
                int more = reconnect() ? post(doorbell.subList(done, doorbell.size())) : 0;
                done += more;
                futile = more == 0 ? futile + 1 : 0;
            }
        }
    }

    /// @return how many were carried out, from the first on; the one after them is in doubt
    private int post(List<WordSwap> swaps) {
        long bell = ++doorbells << Integer.SIZE;
        int last = swaps.size() - 1;
        for (int i = 0; i <= last; i++) {
            WordSwap swap = swaps.get(i);
            batch.compareAndSwap(bell | i, answers, (long) i * Long.BYTES, swap.address(), swap.remoteKey(), swap.expected(),
                    swap.desired());
            if (i < last) {
                batch.unsignalled();
            }
        }
        int done = batch.post() == PostStatus.POSTED ? awaitLast(bell, last) : 0;
        for (int i = 0; i < done; i++) {
            swaps.get(i).observed(answers.memory().getAtIndex(JAVA_LONG, i));
        }
        return done;
    }

    private int awaitLast(long bell, int last) {
        WorkCompletion completion = new WorkCompletion();
        int done = last + 1;
        wait.restart();
        while (wait.next(completion)) {
            int position = (int) (completion.id() - bell);
            if ((completion.id() & -1L << Integer.SIZE) == bell) {
                if (!completion.succeeded()) {
                    done = Math.min(done, position);
                }
                if (position == last) {
                    return done;
                }
            }
        }
        return 0;
    }

    /// Starts over with new queue pairs; one that has failed cannot be trusted to come back on every device.
    private boolean reconnect() {
        near.close();
        far.close();
        near = domain.createQueuePair(options);
        far = domain.createQueuePair(options);
        batch = near.newSendBatch();
        try {
            connect();
            return true;
        } catch (RdmaException e) {
            LOG.log(Level.WARNING, "the node's device could not be connected to itself; it is tried again", e);
            return false;
        }
    }

    @Override
    public void close() {
        while (!opened.isEmpty()) {
            opened.pop().run();
        }
    }
}
