package io.leasehold.testkit;

import static io.leasehold.rdma.AccessFlag.LOCAL_WRITE;
import static io.leasehold.rdma.AccessFlag.REMOTE_ATOMIC;
import static io.leasehold.rdma.AccessFlag.REMOTE_READ;
import static io.leasehold.rdma.AccessFlag.REMOTE_WRITE;
import static io.leasehold.testkit.MutantRegion.real;

import io.leasehold.rdma.AccessFlag;
import io.leasehold.rdma.MemoryRegion;
import io.leasehold.rdma.MemoryWindow;
import io.leasehold.rdma.MemoryWindowType;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.SendBatch;
import io.leasehold.testkit.MutantWindow.Truth;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/// A send batch of a [MutantDevice]: where most lies are told.
///
/// A request that is swallowed is replaced by a WRITE of no bytes, which succeeds and touches nothing, so that its completion
/// comes when it is expected, if with another opcode.
final class MutantBatch implements SendBatch {
    private static final long DELAY_MILLIS = 30;
    private static final int MARGIN_BYTES = 64;
    private static final MemorySegment NOTHING = Arena.global().allocate(8);

    private final MutantDevice device;
    private final MutantQueuePair queuePair;
    private final SendBatch delegate;

    /// The requests added, with their modifiers.
    private final List<Consumer<SendBatch>> requests = new ArrayList<>();

    /// What is to be done, and told, when they were posted.
    private final List<Runnable> whenPosted = new ArrayList<>();

    MutantBatch(MutantDevice device, MutantQueuePair queuePair) {
        this.device = device;
        this.queuePair = queuePair;
        delegate = queuePair.delegate().newSendBatch();
    }

    /// Adds a request. Its inline payload must be copied now, so well-behaved requests do not wait for the doorbell.
    private SendBatch add(Consumer<SendBatch> request) {
        requests.add(request);
        if (device.mutation() != Mutation.REVERSE_BATCHES) {
            handOver();
        }
        return this;
    }

    private void handOver() {
        for (Consumer<SendBatch> request : requests) {
            request.accept(delegate);
        }
        requests.clear();
    }

    private SendBatch swallow(long id) {
        return add(batch -> batch.writeInline(id, NOTHING, 0, 0, 0, 0));
    }

    @Override
    public SendBatch read(long id, MemoryRegion local, long offset, int lengthBytes, long remoteAddress, int remoteKey) {
        int key = queuePair.translated(remoteKey);
        return add(batch -> batch.read(id, real(local), offset, lengthBytes, remoteAddress, key));
    }

    @Override
    public SendBatch write(long id, MemoryRegion local, long offset, int lengthBytes, long remoteAddress, int remoteKey) {
        int key = queuePair.translated(remoteKey);
        return add(batch -> batch.write(id, real(local), offset, lengthBytes, remoteAddress, key));
    }

    @Override
    public SendBatch writeInline(long id, MemorySegment payload, long offset, int lengthBytes, long remoteAddress,
            int remoteKey) {
        int key = queuePair.translated(remoteKey);
        return add(batch -> batch.writeInline(id, payload, offset, lengthBytes, remoteAddress, key));
    }

    @Override
    public SendBatch writeWithImmediate(long id, MemoryRegion local, long offset, int lengthBytes, long remoteAddress,
            int remoteKey, int immediate) {
        int key = queuePair.translated(remoteKey);
        return add(batch -> batch.writeWithImmediate(id, real(local), offset, lengthBytes, remoteAddress, key, immediate));
    }

    @Override
    public SendBatch compareAndSwap(long id, MemoryRegion local, long offset, long remoteAddress, int remoteKey, long expected,
            long desired) {
        if (device.mutation() == Mutation.CAS_ALWAYS_WINS) {
            whenPosted.add(() -> local.memory().set(ValueLayout.JAVA_LONG_UNALIGNED, offset, expected));
            return swallow(id);
        }
        if (device.turnOf(Mutation.LOSE_ATOMICS)) {
            return swallow(id);
        }
        int key = queuePair.translated(remoteKey);
        if (device.mutation() == Mutation.SWAP_UNCONDITIONALLY) {
            return add(batch -> {
                wordAt(remoteAddress).set(ValueLayout.JAVA_LONG_UNALIGNED, 0, expected);
                batch.compareAndSwap(id, real(local), offset, remoteAddress, key, expected, desired);
            });
        }
        return add(batch -> batch.compareAndSwap(id, real(local), offset, remoteAddress, key, expected, desired));
    }

    /// The word is memory of this JVM, which nothing protects from its own processor.
    @SuppressWarnings("restricted")
    private static MemorySegment wordAt(long address) {
        return MemorySegment.ofAddress(address).reinterpret(Long.BYTES);
    }

    @Override
    public SendBatch fetchAndAdd(long id, MemoryRegion local, long offset, long remoteAddress, int remoteKey, long addend) {
        if (device.turnOf(Mutation.LOSE_ATOMICS)) {
            return swallow(id);
        }
        int key = queuePair.translated(remoteKey);
        if (device.turnOf(Mutation.REPEAT_ATOMICS)) {
            add(batch -> batch.fetchAndAdd(id, real(local), offset, remoteAddress, key, addend).unsignalled());
        }
        return add(batch -> batch.fetchAndAdd(id, real(local), offset, remoteAddress, key, addend));
    }

    @Override
    public SendBatch send(long id, MemoryRegion local, long offset, int lengthBytes) {
        return add(batch -> batch.send(id, real(local), offset, lengthBytes));
    }

    @Override
    public SendBatch sendInline(long id, MemorySegment payload, long offset, int lengthBytes) {
        return add(batch -> batch.sendInline(id, payload, offset, lengthBytes));
    }

    @Override
    public SendBatch sendWithInvalidate(long id, MemoryRegion local, long offset, int lengthBytes, int peerKey) {
        int key = queuePair.translated(peerKey);
        return add(batch -> batch.sendWithInvalidate(id, real(local), offset, lengthBytes, key));
    }

    @Override
    public SendBatch bindMemoryWindow(long id, MemoryWindow window, int newKey, MemoryRegion region, long address,
            long lengthBytes, int access) {
        if (!(window instanceof MutantWindow mutant)) {
            return add(batch -> batch.bindMemoryWindow(id, window, newKey, real(region), address, lengthBytes,
                    access));
        }
        boolean typeOne = window.type() == MemoryWindowType.TYPE_1;
        Mutation mutation = device.mutation();
        if (mutation == Mutation.SKIP_BIND) {
            mutant.bindInVain(typeOne ? mutant.remoteKey() : newKey);
            return swallow(id);
        }
        boolean widen = mutation == Mutation.WIDEN_BOUNDS;
        long from = widen ? Math.max(Math.min(region.address(), address), address - MARGIN_BYTES) : address;
        long end = address + lengthBytes;
        long to = widen ? Math.min(Math.max(region.address() + region.lengthBytes(), end), end + MARGIN_BYTES) : end;
        int rights = mutation == Mutation.IGNORE_RIGHTS ? allRightsIn(region) : access;
        if (mutation == Mutation.IGNORE_QUEUE_PAIR && !typeOne
                && device.attributes().windowTypes().contains(MemoryWindowType.TYPE_1)) {
            MemoryWindow standIn = mutant.replace(newKey);
            return bind(id, standIn, newKey, region, from, to - from, rights);
        }
        int key = mutation == Mutation.REUSE_KEY && mutant.wasBound() ? mutant.realKey() : newKey;
        if (typeOne) {
            mutant.settle();
        } else {
            mutant.bind(newKey, key);
        }
        return bind(id, mutant.delegate(), key, region, from, to - from, rights);
    }

    private static int allRightsIn(MemoryRegion region) {
        return region.access().contains(LOCAL_WRITE) ? AccessFlag.mask(REMOTE_READ, REMOTE_WRITE, REMOTE_ATOMIC)
                : REMOTE_READ.bit();
    }

    private SendBatch bind(long id, MemoryWindow window, int key, MemoryRegion region, long address, long lengthBytes,
            int access) {
        int seen = window.type() == MemoryWindowType.TYPE_1 ? 0 : key;
        whenPosted.add(() -> device.observer().bound(seen, address, lengthBytes, access, queuePair.number()));
        return add(batch -> batch.bindMemoryWindow(id, window, key, real(region), address, lengthBytes, access));
    }

    @Override
    public SendBatch localInvalidate(long id, int localKey) {
        MutantWindow window = device.window(localKey);
        if (window == null) {
            return invalidate(id, localKey);
        }
        return switch (window.truth(localKey)) {
            case Truth.NotBound _ -> swallow(id);
            case Truth.Replaced _ -> {
                window.settle();
                yield swallow(id);
            }
            case Truth.BoundBy bound -> invalidate(id, bound.key());
            case Truth.StillBound _ -> invalidate(id, localKey);
            case Truth.AsClaimed _ -> switch (device.mutation()) {
                case SKIP_INVALIDATION -> {
                    window.keep(queuePair.delegate());
                    yield swallow(id);
                }
                case DELAY_INVALIDATION -> {
                    Truth kept = window.keep(queuePair.delegate());
                    CompletableFuture.delayedExecutor(DELAY_MILLIS, TimeUnit.MILLISECONDS).execute(() -> window.settle(kept));
                    yield swallow(id);
                }
                default -> invalidate(id, localKey);
            };
        };
    }

    private SendBatch invalidate(long id, int key) {
        whenPosted.add(() -> device.observer().invalidated(key));
        return add(batch -> batch.localInvalidate(id, key));
    }

    @Override
    public SendBatch unsignalled() {
        return modify(SendBatch::unsignalled);
    }

    @Override
    public SendBatch fence() {
        return modify(SendBatch::fence);
    }

    private SendBatch modify(Consumer<SendBatch> modifier) {
        if (requests.isEmpty()) {
            modifier.accept(delegate);
        } else {
            requests.addLast(requests.removeLast().andThen(modifier));
        }
        return this;
    }

    @Override
    public int size() {
        return delegate.size() + requests.size();
    }

    @Override
    public void clear() {
        requests.clear();
        whenPosted.clear();
        delegate.clear();
    }

    @Override
    public PostStatus post() {
        List<Consumer<SendBatch>> reversed = List.copyOf(requests.reversed());
        requests.clear();
        requests.addAll(reversed);
        handOver();
        List<Runnable> told = List.copyOf(whenPosted);
        whenPosted.clear();
        PostStatus status = delegate.post();
        if (status == PostStatus.POSTED) {
            told.forEach(Runnable::run);
        }
        return status;
    }
}
