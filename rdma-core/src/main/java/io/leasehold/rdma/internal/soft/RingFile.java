package io.leasehold.rdma.internal.soft;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/// The file that the two ends of a connection by shared memory have mapped: two rings of frames, one for each direction.
///
/// ```
///  byte   0
///         +---------------------------------------------+
///      0  |  magic  |      proof, 128 random bits       |
///         +---------------------------------------------+
///   1024  |  counters of what the acceptor sends        |
///         +---------------------------------------------+
///   2048  |  counters of what the dialler sends         |
///         +---------------------------------------------+
///   4096  |  frames that the acceptor sends             |
///         +---------------------------------------------+
/// 135168  |  frames that the dialler sends              |
///         +---------------------------------------------+
///
///  counters      0        tail: bytes ever put, written by the sender after the frames
///              128        head: bytes ever taken, written by the receiver
///              256        1 while the receiver sleeps and wants to be woken, 32 bits: written by both
/// ```
///
/// Counters only grow; a byte of the stream lies at its number modulo the length of the ring. Each counter has two cache lines
/// of its own, since processors fetch them in pairs. A frame is laid out as [Frame] has it, begins at a multiple of
/// [#FRAME_ALIGNMENT] and never runs over the end of the ring: a frame of type [#PADDING] takes what is left there.
///
/// Nothing in it is believed. Whoever may open it is this user, and can do one thing more: cut it short. The JVM tells of that by
/// an [InternalError] in whatever the thread does next. What meets one here ends the connection; but one that comes later may end
/// the process, as this user could by a signal.
final class RingFile implements AutoCloseable {
    /// Bytes of the ring of one direction.
    static final int RING_BYTES = 1 << 17;
    /// Frames begin at multiples of this.
    static final int FRAME_ALIGNMENT = 64;
    /// The type of a frame that fills up the end of the ring; see [Frame] for the others.
    static final int PADDING = 32;
    /// Which direction the acceptor sends in.
    static final int FROM_ACCEPTOR = 0;
    /// Which direction the dialler sends in.
    static final int FROM_DIALLER = 1;

    static final int PROOF_AT = 8;
    static final int COUNTERS_AT = 1024;
    static final int COUNTERS_STRIDE = 1024;
    static final int TAIL_AT = 0;
    static final int HEAD_AT = 128;
    static final int SLEEPING_AT = 256;
    static final int RINGS_AT = 4096;
    /// Bytes of the file.
    static final int FILE_BYTES = RINGS_AT + 2 * RING_BYTES;
    /// `LEASERNG`, as bytes in the file.
    private static final long MAGIC = 0x474e_5245_5341_454cL;

    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rw-------");

    private final Path path;
    private final boolean acceptor;
    private final Arena arena;
    private final long address;
    private final long timespec;

    private RingFile(Path path, boolean acceptor, FileChannel channel) throws IOException {
        this.path = path;
        this.acceptor = acceptor;
        arena = Arena.ofShared();
        try {
            address = channel.map(FileChannel.MapMode.READ_WRITE, 0, FILE_BYTES, arena).address();
            MemorySegment own = arena.allocate(Futex.TIMESPEC_BYTES, Long.BYTES);
            timespec = own.address();
        } catch (IOException | RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /// Makes a file that did not exist, for its owner alone, and maps it.
    ///
    /// All of it is written: a file system that is full says so here, and not by a signal when a page is touched for the first
    /// time.
    static RingFile create(Path path, long proofHigh, long proofLow) throws IOException {
        var ownerOnly = PosixFilePermissions.asFileAttribute(OWNER_ONLY);
        try (FileChannel channel = FileChannel.open(path,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE), ownerOnly)) {
            try {
                ByteBuffer zeros = ByteBuffer.allocate(FILE_BYTES);
                while (zeros.hasRemaining()) {
                    channel.write(zeros);
                }
                var file = new RingFile(path, true, channel);
                NativeMemory.putLong(file.address + PROOF_AT, proofHigh);
                NativeMemory.putLong(file.address + PROOF_AT + Long.BYTES, proofLow);
                NativeMemory.putLong(file.address, MAGIC);
                return file;
            } catch (IOException | RuntimeException | Error e) {
                Files.deleteIfExists(path);
                throw e;
            }
        }
    }

    /// Maps a file that the acceptor made. It must be as [#create] makes it: whoever else could write to it could cut it short.
    static RingFile open(Path path) throws IOException {
        var attributes = Files.readAttributes(path, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
        if (!attributes.permissions().equals(OWNER_ONLY)) {
            throw new ProtocolViolation(path + " is not for its owner alone, but "
                    + PosixFilePermissions.toString(attributes.permissions()));
        }
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE,
                LinkOption.NOFOLLOW_LINKS)) {
            if (channel.size() != FILE_BYTES) {
                throw new ProtocolViolation(path + " has " + channel.size() + " bytes instead of " + FILE_BYTES);
            }
            var file = new RingFile(path, false, channel);
            if (NativeMemory.getLong(file.address) != MAGIC) {
                file.close();
                throw new ProtocolViolation(path + " is no file of rings");
            }
            return file;
        }
    }

    /// The name that the peer finds it by.
    String name() {
        return path.getFileName().toString();
    }

    /// What only those who see this very file know: 128 bits in two halves.
    long proof(int half) {
        return NativeMemory.getLong(address + PROOF_AT + (long) half * Long.BYTES);
    }

    /// Takes the name of the file away; the mappings stay.
    void unlink() throws IOException {
        Files.deleteIfExists(path);
    }

    /// Where the counters lie of what this end sends, or of what it receives.
    long counters(boolean sent) {
        return address + COUNTERS_AT + (long) direction(sent) * COUNTERS_STRIDE;
    }

    /// Where the frames lie that this end sends, or receives.
    long ring(boolean sent) {
        return address + RINGS_AT + (long) direction(sent) * RING_BYTES;
    }

    private int direction(boolean sent) {
        return sent == acceptor ? FROM_ACCEPTOR : FROM_DIALLER;
    }

    /// Memory of this process for [Futex#await].
    long timespec() {
        return timespec;
    }

    /// Takes the name away and unmaps it, whatever comes.
    void discard() throws IOException {
        try {
            unlink();
        } finally {
            close();
        }
    }

    /// Unmaps it: nobody may be at it any more.
    @Override
    public void close() {
        arena.close();
    }
}
