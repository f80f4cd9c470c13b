package io.leasehold.rdma.internal.verbs;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import org.jspecify.annotations.Nullable;

/// The thread of a device that waits, in poll(2), for its completion and asynchronous events: the only one that waits in native code.
final class EventLoop implements AutoCloseable {
    private static final SymbolLookup C = Linker.nativeLinker().defaultLookup();
    private static final CFunction PIPE = c("pipe", "ip");
    private static final CFunction WRITE = c("write", "pipp");
    private static final CFunction CLOSE = c("close", "ii");

    private final VerbsDevice device;
    private final long context;
    private final long channel;
    private final Arena arena = Arena.ofShared();
    private final int[] pipe = {-1, -1};
    private volatile boolean closing;
    private volatile @Nullable Thread thread;
    /// For the thread alone.
    private boolean freesWhenLeft;

    /// @param channel `ibv_comp_channel *` of all completion queues of the device
    EventLoop(VerbsDevice device, long context, long channel) {
        this.device = device;
        this.context = context;
        this.channel = channel;
        boolean made = false;
        try {
            open();
            made = true;
        } finally {
            if (!made) {
                free();
            }
        }
    }

    private void open() {
        long ends = arena.allocate(2L * Integer.BYTES, 8).address();
        PIPE.status(ends);
        pipe[0] = RawMemory.getInt(ends);
        pipe[1] = RawMemory.getInt(ends + Integer.BYTES);
        Descriptors.nonblocking(RawMemory.getInt(context + Abi.Context.ASYNC_FD));
        Descriptors.nonblocking(RawMemory.getInt(channel + Abi.Handle.CHANNEL_FD));
    }

    private static CFunction c(String name, String signature) {
        return CFunction.find(C, name, CFunction.descriptor(signature)).orElseThrow();
    }

    /// Until [#close].
    void run() {
        thread = Thread.currentThread();
        watch();
        if (freesWhenLeft) {
            device.free();
        }
    }

    /// Asked by who closes the device: a reaction that does is still on the stack of [#run], which frees all when it is back.
    boolean freesWhenLeft() {
        freesWhenLeft = Thread.currentThread() == thread;
        return freesWhenLeft;
    }

    private void watch() {
        int[] fds = {pipe[0], RawMemory.getInt(context + Abi.Context.ASYNC_FD),
            RawMemory.getInt(channel + Abi.Handle.CHANNEL_FD)};
        long polls = arena.allocate((long) fds.length * Descriptors.POLL_BYTES, 8).address();
        long event = arena.allocate(Abi.Event.BYTES, 16).address();
        for (int i = 0; i < fds.length; i++) {
            Descriptors.watch(polls + (long) i * Descriptors.POLL_BYTES, fds[i]);
        }
        while (!closing) {
            try {
                if (!Descriptors.poll(polls, fds.length, -1)) {
                    continue;
                }
                if (isReadable(polls, 2)) {
                    takeCompletionEvent(event);
                }
                // A reaction may have closed the device.
                if (!closing && isReadable(polls, 1)) {
                    takeAsyncEvent(event);
                }
            } catch (NativeFailure e) {
                if (e.errno() != NativeFailure.EAGAIN) {
                    device.failed("its events cannot be read: " + e.getMessage());
                    return;
                }
            }
        }
    }

    private static boolean isReadable(long polls, int i) {
        return Descriptors.isReady(polls + (long) i * Descriptors.POLL_BYTES);
    }

    private void takeCompletionEvent(long out) {
        device.library().getCqEvent(channel, out);
        // The queue may be gone as soon as its event is acknowledged; its place in the table is not.
        device.library().ackCqEvents(RawMemory.getLong(out), 1);
        int slot = (int) RawMemory.getLong(out + Long.BYTES);
        guarded(() -> device.told(slot));
    }

    private void takeAsyncEvent(long event) {
        device.library().getAsyncEvent(context, event);
        long element = RawMemory.getLong(event + Abi.Event.ELEMENT);
        int type = RawMemory.getInt(event + Abi.Event.TYPE);
        // Looked up before it is acknowledged: until then the element cannot be destroyed, nor another take its address.
        Runnable reaction = device.reactionTo(type, element);
        device.library().ackAsyncEvent(event);
        guarded(reaction);
    }

    /// Whatever comes of one event, the others are taken.
    private void guarded(Runnable reaction) {
        try {
            reaction.run();
        } catch (RuntimeException | Error e) {
            device.handlerThrew("taking an event", e);
        }
    }

    /// Has [#run] return.
    @Override
    public void close() {
        closing = true;
        try (Scratch scratch = new Scratch()) {
            WRITE.number(pipe[1], scratch.allocate(1), 1L);
        }
    }

    /// Frees what it has, after its thread has ended.
    void free() {
        for (int end : pipe) {
            if (end >= 0) {
                CLOSE.run(end);
            }
        }
        arena.close();
    }
}
