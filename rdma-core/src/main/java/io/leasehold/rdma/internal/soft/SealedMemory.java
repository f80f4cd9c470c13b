package io.leasehold.rdma.internal.soft;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// A file in memory that nobody can make shorter or longer, its maker included: Linux's `memfd_create` with seals.
///
/// A mapped file that a peer cuts short brings an error into whatever the thread that touched it does next. This one cannot be.
/// It has no name of its own; processes of the same user find it by [#path], as long as its maker has not closed it.
final class SealedMemory implements AutoCloseable {
    private static final int MFD_CLOEXEC = 1;
    private static final int MFD_ALLOW_SEALING = 2;
    private static final int F_ADD_SEALS = 1033;
    private static final int F_GET_SEALS = 1034;
    private static final int SEALS = 1 | 2 | 4;
    private static final int O_RDWR = 2;
    // A peer may name anything of this user: neither wait for a pipe nor take a terminal.
    private static final int O_NOCTTY = 0x100;
    private static final int O_NONBLOCK = 0x800;
    private static final int O_CLOEXEC = 0x80000;
    private static final int OWNER_ONLY = 0600;
    private static final int ENOENT = 2;

    private static final FunctionDescriptor OF_NAME =
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_INT);
    private static final FunctionDescriptor OF_DESCRIPTOR =
            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT, ValueLayout.JAVA_INT);
    private static final MemoryLayout STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));

    private final int descriptor;
    private boolean closed;

    private SealedMemory(int descriptor) {
        this.descriptor = descriptor;
    }

    /// New memory, zeroed, which only its owner may open. All of it is there: later, none can be missing.
    static SealedMemory create(String name, int bytes) throws IOException {
        int descriptor = byName("memfd_create", name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        var memory = new SealedMemory(descriptor);
        try (FileChannel channel = memory.channel()) {
            ByteBuffer zeros = ByteBuffer.allocate(bytes);
            while (zeros.hasRemaining()) {
                channel.write(zeros);
            }
            byDescriptor("fchmod", descriptor, OWNER_ONLY, 0);
            byDescriptor("fcntl", descriptor, F_ADD_SEALS, SEALS);
            return memory;
        } catch (IOException | RuntimeException | Error e) {
            memory.close();
            throw e;
        }
    }

    /// The memory that another process has made, of exactly so many bytes.
    ///
    /// @throws IOException if there is none at that path, or none that is sealed
    static SealedMemory open(Path path, int bytes) throws IOException {
        var memory = new SealedMemory(byName("open", path.toString(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
        try (FileChannel channel = memory.channel()) {
            // What is no file in memory has no seals at all, or all but these.
            if ((byDescriptor("fcntl", memory.descriptor, F_GET_SEALS, 0) & SEALS) != SEALS) {
                throw new ProtocolViolation(path + " is not sealed");
            }
            if (channel.size() != bytes) {
                throw new ProtocolViolation(path + " has " + channel.size() + " bytes instead of " + bytes);
            }
            return memory;
        } catch (IOException | RuntimeException | Error e) {
            memory.close();
            throw e;
        }
    }

    /// To map it by.
    FileChannel channel() throws IOException {
        return FileChannel.open(Path.of("/proc/self/fd/" + descriptor), StandardOpenOption.READ, StandardOpenOption.WRITE);
    }

    /// Where other processes of this user find it until it is closed.
    Path path() {
        return Path.of("/proc/" + ProcessHandle.current().pid() + "/fd/" + descriptor);
    }

    /// Ends the finding; what is mapped stays.
    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            try {
                byDescriptor("close", descriptor, 0, 0);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    // ---- libc

    private static int byName(String function, String name, int flags) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            int result = (int) handle(function, OF_NAME).invokeExact(state, arena.allocateFrom(name), flags);
            return checked(function, name, result, state);
        } catch (IOException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(function, e);
        }
    }

    private static int byDescriptor(String function, int descriptor, int first, int second) throws IOException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment state = arena.allocate(STATE);
            int result = (int) handle(function, OF_DESCRIPTOR).invokeExact(state, descriptor, first, second);
            return checked(function, "descriptor " + descriptor, result, state);
        } catch (IOException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(function, e);
        }
    }

    // What libc has as variadic is called so; an argument too many does no harm.
    @SuppressWarnings("restricted")
    private static MethodHandle handle(String function, FunctionDescriptor descriptor) throws IOException {
        Linker linker = Linker.nativeLinker();
        MemorySegment symbol = linker.defaultLookup().find(function)
                .orElseThrow(() -> new IOException("the C library has no " + function));
        Linker.Option errno = Linker.Option.captureCallState("errno");
        return switch (function) {
            case "open", "fcntl" -> linker.downcallHandle(symbol, descriptor, errno, Linker.Option.firstVariadicArg(2));
            default -> linker.downcallHandle(symbol, descriptor, errno);
        };
    }

    private static int checked(String function, String what, int result, MemorySegment state) throws IOException {
        if (result < 0) {
            int errno = (int) ERRNO.get(state, 0L);
            if (errno == ENOENT) {
                throw new NoSuchFileException(what);
            }
            throw new IOException(function + " of " + what + " failed with errno " + errno);
        }
        return result;
    }
}
