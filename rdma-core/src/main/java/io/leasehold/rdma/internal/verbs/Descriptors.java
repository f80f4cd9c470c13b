package io.leasehold.rdma.internal.verbs;

import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;

/// File descriptors that are waited for by poll(2).
final class Descriptors {
    private static final SymbolLookup C = Linker.nativeLinker().defaultLookup();
    private static final CFunction POLL = CFunction.find(C, "poll", CFunction.descriptor("ippi")).orElseThrow();
    // fcntl takes a variable number of arguments.
    private static final CFunction FCNTL = CFunction.find(C, "fcntl", CFunction.descriptor("iiii"),
            Linker.Option.firstVariadicArg(2)).orElseThrow();
    private static final int GET_FLAGS = 3;
    private static final int SET_FLAGS = 4;
    private static final int NONBLOCKING = 0x800;
    private static final short READABLE = 1;
    private static final int EINTR = 4;

    /// `struct pollfd`: fd 0, events 4, revents 6.
    static final int POLL_BYTES = 8;
    private static final int EVENTS = 4;
    private static final int FOUND = 6;

    private Descriptors() {
    }

    /// Has reading from `fd` fail with `EAGAIN` where it would wait.
    static void nonblocking(int fd) {
        int flags = (int) FCNTL.number(fd, GET_FLAGS, 0);
        FCNTL.number(fd, SET_FLAGS, flags | NONBLOCKING);
    }

    /// Fills in the `struct pollfd` at `entry`.
    static void watch(long entry, int fd) {
        RawMemory.putInt(entry, fd);
        RawMemory.putShort(entry + EVENTS, READABLE);
    }

    /// Whether there is something to read, or to learn, from what was watched at `entry`.
    static boolean isReady(long entry) {
        return RawMemory.getShort(entry + FOUND) != 0;
    }

    /// Waits until something that is watched is ready.
    ///
    /// @param entries `struct pollfd *`
    /// @param timeoutMillis how long at most; -1 for as long as it takes
    /// @return whether something is ready; not if the wait was over, or interrupted by a signal
    static boolean poll(long entries, int count, int timeoutMillis) {
        try {
            return POLL.number(entries, (long) count, timeoutMillis) > 0;
        } catch (NativeFailure e) {
            if (e.errno() == EINTR) {
                return false;
            }
            throw e;
        }
    }

    /// Waits until there is something to read from `fd`.
    static boolean awaitReadable(int fd, int timeoutMillis) {
        try (Scratch scratch = new Scratch()) {
            long entry = scratch.allocate(POLL_BYTES);
            watch(entry, fd);
            return poll(entry, 1, timeoutMillis);
        }
    }
}
