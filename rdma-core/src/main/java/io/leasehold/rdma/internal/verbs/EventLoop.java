package io.leasehold.rdma.internal.verbs;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import org.jspecify.annotations.Nullable;

/// The thread of a device that waits, in poll(2), for its completion and asynchronous events: the only one that waits in native code.
final class EventLoop implements AutoCloseable {
    private static final SymbolLookup C = Linker.nativeLinker().defaultLookup();
    private static final CFunction POLL = c("poll", "ippi");
    private static final CFunction PIPE = c("pipe", "ip");
    private static final CFunction WRITE = c("write", "pipp");
    private static final CFunction CLOSE = c("close", "ii");
    // fcntl takes a variable number of arguments.
    private static final CFunction FCNTL = CFunction.find(C, "fcntl", CFunction.descriptor("iiii"),
            Linker.Option.firstVariadicArg(2)).orElseThrow();
    private static final int GET_FLAGS = 3;
    private static final int SET_FLAGS = 4;
    private static final int NONBLOCKING = 0x800;
    private static final int READABLE = 1;
    private static final int EINTR = 4;
    private static final int POLL_BYTES = 8;

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
        long ends = arena.allocate(POLL_BYTES, 8).address();
        PIPE.status(ends);
        pipe[0] = RawMemory.getInt(ends);
        pipe[1] = RawMemory.getInt(ends + Integer.BYTES);
        nonblocking(RawMemory.getInt(context + Abi.Context.ASYNC_FD));
        nonblocking(RawMemory.getInt(channel + Abi.Handle.CHANNEL_FD));
    }

    private static CFunction c(String name, String signature) {
        return CFunction.find(C, name, CFunction.descriptor(signature)).orElseThrow();
    }

    private static void nonblocking(int fd) {
        int flags = (int) FCNTL.number(fd, GET_FLAGS, 0);
        FCNTL.number(fd, SET_FLAGS, flags | NONBLOCKING);
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
        long polls = arena.allocate((long) fds.length * POLL_BYTES, 8).address();
        long event = arena.allocate(Abi.Event.BYTES, 16).address();
        for (int i = 0; i < fds.length; i++) {
            RawMemory.putInt(polls + (long) i * POLL_BYTES, fds[i]);
            RawMemory.putShort(polls + (long) i * POLL_BYTES + 4, READABLE);
        }
        while (!closing) {
            try {
                POLL.number(polls, (long) fds.length, -1);
                if (isReadable(polls, 2)) {
                    takeCompletionEvent(event);
                }
                // A reaction may have closed the device.
                if (!closing && isReadable(polls, 1)) {
                    takeAsyncEvent(event);
                }
            } catch (NativeFailure e) {
                if (e.errno() != EINTR && e.errno() != NativeFailure.EAGAIN) {
                    device.failed("its events cannot be read: " + e.getMessage());
                    return;
                }
            }
        }
    }

    private static boolean isReadable(long polls, int i) {
        return RawMemory.getShort(polls + (long) i * POLL_BYTES + 6) != 0;
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
