package io.leasehold.rdma.internal.soft;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/// Sleeping on a 32-bit word that two processes share: Linux's `futex` system call, on x86-64 and AArch64.
///
/// Both calls answer nothing: whoever waits looks at what it waits for and not at why it woke, and an interrupted, late or
/// needless call is an ordinary one.
final class Futex {
    private static final int WAIT = 0;
    private static final int WAKE = 1;
    private static final int ALL_WAITERS = Integer.MAX_VALUE;
    private static final long NANOS_PER_SECOND = 1_000_000_000L;
    /// Bytes of the time-out that [#await] is handed.
    static final int TIMESPEC_BYTES = 2 * Long.BYTES;

    private static final long NUMBER = number();
    // A constant, for the compiler.
    private static final @Nullable MethodHandle CALL = NUMBER < 0 ? null : find();

    private Futex() {
    }

    /// Whether this system has it.
    static boolean isAvailable() {
        return CALL != null;
    }

    /// The number of the system call; -1 where this class does not know it.
    private static long number() {
        if (!System.getProperty("os.name").equals("Linux")) {
            return -1;
        }
        return switch (System.getProperty("os.arch")) {
            case "amd64", "x86_64" -> 202;
            case "aarch64" -> 98;
            default -> -1;
        };
    }

    // By libc's syscall(): it has no function for this call. Pointers are passed as numbers, so that no call makes an object.
    @SuppressWarnings("restricted")
    private static @Nullable MethodHandle find() {
        Linker linker = Linker.nativeLinker();
        MemorySegment syscall = linker.defaultLookup().find("syscall").orElse(null);
        return syscall == null ? null : linker.downcallHandle(syscall,
                FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT,
                        ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT),
                Linker.Option.firstVariadicArg(1));
    }

    /// Sleeps while the word is `expected`, at most for `nanos`.
    ///
    /// @param timespec memory of [#TIMESPEC_BYTES] for this call to use
    static void await(long word, int expected, long nanos, long timespec) {
        NativeMemory.putLong(timespec, nanos / NANOS_PER_SECOND);
        NativeMemory.putLong(timespec + Long.BYTES, nanos % NANOS_PER_SECOND);
        call(word, WAIT, expected, timespec);
    }

    /// Wakes whoever sleeps on the word.
    static void wake(long word) {
        call(word, WAKE, ALL_WAITERS, 0);
    }

    private static void call(long word, int operation, int value, long timespec) {
        MethodHandle call = CALL;
        if (call == null) {
            throw new IllegalStateException("no futex here: the caller had to ask isAvailable()");
        }
        try {
            long _ = (long) call.invokeExact(NUMBER, word, operation, value, timespec, 0L, 0);
        } catch (Throwable e) {
            throw new IllegalStateException("futex", e);
        }
    }
}
