package io.leasehold.lease;

import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.RdmaDevice;
import java.lang.System.Logger.Level;
import java.security.SecureRandom;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;

/// A memory node: owns memory, grants leases on it, revokes them in time, and takes no part in reading and writing.
///
/// One thread of its own decides everything; it is busy only while clients ask for leases or memory, and when leases end.
/// Thread-safe.
public final class MemoryNode implements AutoCloseable {
    private static final long STOP_TIMEOUT_MILLIS = 10_000;
    private static final long COUNTS_TIMEOUT_MILLIS = 10_000;
    private static final long CLOSE_TIMEOUT_MILLIS = 5_000;

    private static final System.Logger LOG = System.getLogger(MemoryNode.class.getName());

    private final NodeFabric fabric;
    private final NodeControl control;
    private final EndpointAddress address;
    private final AtomicBoolean closed = new AtomicBoolean();

    private MemoryNode(NodeFabric fabric, NodeControl control) {
        this.fabric = fabric;
        this.control = control;
        address = fabric.listener().address();
    }

    /// Starts a node with a device of its own.
    ///
    /// @throws io.leasehold.rdma.RdmaException if the device cannot be opened, or has less than the options ask for
    public static MemoryNode start(NodeOptions options) {
        return start(RdmaDevice.open(options.device()), true, options);
    }

    /// Starts a node on a device that the caller owns, and closes after the node.
    ///
    /// @throws io.leasehold.rdma.RdmaException if the device has less than the options ask for, or listens already
    public static MemoryNode start(RdmaDevice device, NodeOptions options) {
        return start(device, false, options);
    }

    private static MemoryNode start(RdmaDevice device, boolean owned, NodeOptions options) {
        // The device may bring the first client before the rest of the node is made.
        CompletableFuture<NodeControl> ready = new CompletableFuture<>();
        NodeFabric fabric = NodeFabric.open(device, owned, options, request -> ready.join().onRequest(request));
        try {
            SecureRandom secret = new SecureRandom();
            NodeControl control = new NodeControl(options, newEpoch(secret), new SplittableRandom(secret.nextLong()), fabric);
            control.start();
            ready.complete(control);
            return new MemoryNode(fabric, control);
        } catch (RuntimeException | Error e) {
            ready.completeExceptionally(e);
            fabric.close();
            throw e;
        }
    }

    /// A number that tells this run of the node from any other; never 0.
    private static long newEpoch(SecureRandom secret) {
        long epoch = secret.nextLong();
        return epoch == 0 ? 1 : epoch;
    }

    /// Where sessions connect to.
    public EndpointAddress address() {
        return address;
    }

    /// What the leases of this node rest on.
    public LeaseBacking backing() {
        return fabric.backing().kind();
    }

    /// Completed when the node serves nobody any more: normally after [#close], exceptionally if its control thread has failed,
    /// which it never should. All sessions have ended then, and no key of theirs opens anything; the node is to be closed.
    public CompletableFuture<Void> whenEnded() {
        return control.whenEnded();
    }

    /// What is in use now; waits for the control thread, and until connections that have ended are closed, so that what was asked
    /// for before is counted.
    ///
    /// @throws IllegalStateException if the node is closed
    public NodeCounts counts() {
        boolean interrupted = false;
        try {
            control.catchUp().get(COUNTS_TIMEOUT_MILLIS, TimeUnit.MILLISECONDS);
            control.awaitClosed(CLOSE_TIMEOUT_MILLIS);
            return control.counts().get(COUNTS_TIMEOUT_MILLIS, TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw new IllegalStateException("the node at " + address + " is closed", e);
        } catch (TimeoutException e) {
            throw new IllegalStateException("the node at " + address + " did not count for " + COUNTS_TIMEOUT_MILLIS + " ms", e);
        } catch (InterruptedException e) {
            interrupted = true;
            throw new IllegalStateException("interrupted while the node at " + address + " was to count", e);
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /// Has the control thread look at the clock, which a test has moved.
    void tick() {
        control.tick();
    }

    /// Refuses what clients wait for, ends all sessions and frees the memory; closes the device if the node has opened it. Takes
    /// a few seconds at most; closing twice is harmless.
    @Override
    public void close() {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        if (!control.stop(STOP_TIMEOUT_MILLIS)) {
            LOG.log(Level.ERROR, "the control thread of the node at {0} did not end in {1} ms; its device objects are closed all "
                    + "the same", address, STOP_TIMEOUT_MILLIS);
        }
        if (!control.awaitClosed(CLOSE_TIMEOUT_MILLIS)) {
            LOG.log(Level.WARNING, "connections of clients of the node at {0} were not closed in {1} ms", address,
                    CLOSE_TIMEOUT_MILLIS);
        }
        fabric.close();
    }
}
