package io.leasehold.rdma.internal.soft;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;

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
/// It is [SealedMemory], and its name a symbolic link to where other processes of this user find that. Nothing in it is believed.
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

    private final Path path;
    private final boolean acceptor;
    private final SealedMemory memory;
    private final Arena arena;
    private final long address;
    private final long timespec;

    private RingFile(Path path, boolean acceptor, SealedMemory memory) throws IOException {
        this.path = path;
        this.acceptor = acceptor;
        this.memory = memory;
        arena = Arena.ofShared();
        try (FileChannel channel = memory.channel()) {
            address = channel.map(FileChannel.MapMode.READ_WRITE, 0, FILE_BYTES, arena).address();
            MemorySegment own = arena.allocate(Futex.TIMESPEC_BYTES, Long.BYTES);
            timespec = own.address();
        } catch (IOException | RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /// Makes the memory, for its owner alone, maps it, and has `path`, which did not exist, lead to it.
    static RingFile create(Path path, long proofHigh, long proofLow) throws IOException {
        SealedMemory memory = SealedMemory.create(path.getFileName().toString(), FILE_BYTES);
        try {
            var file = new RingFile(path, true, memory);
            try {
                NativeMemory.putLong(file.address + PROOF_AT, proofHigh);
                NativeMemory.putLong(file.address + PROOF_AT + Long.BYTES, proofLow);
                NativeMemory.putLong(file.address, MAGIC);
                Files.createSymbolicLink(path, memory.path());
                return file;
            } catch (IOException | RuntimeException | Error e) {
                file.arena.close();
                throw e;
            }
        } catch (IOException | RuntimeException | Error e) {
            memory.close();
            throw e;
        }
    }

    /// Maps what the acceptor made.
    static RingFile open(Path path) throws IOException {
        try (SealedMemory memory = SealedMemory.open(path, FILE_BYTES)) {
            var file = new RingFile(path, false, memory);
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

    /// Takes the name away; the mappings stay.
    void unlink() throws IOException {
        try (memory) {
            Files.deleteIfExists(path);
        }
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
        try (memory) {
            arena.close();
        }
    }
}
