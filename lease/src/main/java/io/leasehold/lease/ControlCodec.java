package io.leasehold.lease;

import io.leasehold.lease.ControlMessage.Acquire;
import io.leasehold.lease.ControlMessage.Activate;
import io.leasehold.lease.ControlMessage.Allocate;
import io.leasehold.lease.ControlMessage.AllocateExtent;
import io.leasehold.lease.ControlMessage.Allocated;
import io.leasehold.lease.ControlMessage.Beat;
import io.leasehold.lease.ControlMessage.BeatReply;
import io.leasehold.lease.ControlMessage.DestroyHeap;
import io.leasehold.lease.ControlMessage.Done;
import io.leasehold.lease.ControlMessage.Failed;
import io.leasehold.lease.ControlMessage.Free;
import io.leasehold.lease.ControlMessage.FreeNamed;
import io.leasehold.lease.ControlMessage.Goodbye;
import io.leasehold.lease.ControlMessage.Granted;
import io.leasehold.lease.ControlMessage.Heap;
import io.leasehold.lease.ControlMessage.Hello;
import io.leasehold.lease.ControlMessage.Keys;
import io.leasehold.lease.ControlMessage.LeaseKey;
import io.leasehold.lease.ControlMessage.MoreKeys;
import io.leasehold.lease.ControlMessage.Named;
import io.leasehold.lease.ControlMessage.OpenHeap;
import io.leasehold.lease.ControlMessage.OpenNamed;
import io.leasehold.lease.ControlMessage.Range;
import io.leasehold.lease.ControlMessage.Reason;
import io.leasehold.lease.ControlMessage.Relinquish;
import io.leasehold.lease.ControlMessage.Retire;
import io.leasehold.lease.ControlMessage.Unprotect;
import io.leasehold.lease.ControlMessage.Unprotected;
import io.leasehold.lease.ControlMessage.Welcome;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/// The bytes of [ControlMessage]s. One message is one SEND of up to [#MESSAGE_BYTES] bytes, little-endian, without padding:
///
/// ```
///  0            2        3       4          8                 16
/// +------------+--------+-------+----------+------------------+-----------------
/// | "L" version| opcode | flags | length   |   request id     | body …
/// |  u16       |  u8    | u8, 0 |  u32     |   u64            |
/// +------------+--------+-------+----------+------------------+-----------------
/// ```
///
/// `length` counts header and body, and is what was received. The body holds the fields of the record in their order: `long` as u64,
/// `int` as u32, `boolean` as u8 (0 or 1), an enum as its ordinal in a u8, a [UUID] as two u64 (the more significant first), text as a
/// u16 number of bytes and UTF-8, a list as a u16 number of elements and the elements.
///
/// | opcode | request | opcode | reply |
/// |---|---|---|---|
/// | 1 | Hello | 129 | Welcome |
/// | 2 | Activate | 130 | Keys |
/// | 3 | MoreKeys | 131 | Granted |
/// | 4 | Acquire | 132 | Done |
/// | 5 | Relinquish | 133 | BeatReply |
/// | 6 | Beat | 134 | Allocated |
/// | 7 | Allocate | 135 | Named |
/// | 8 | Free | 136 | Heap |
/// | 9 | OpenNamed | 137 | Unprotected |
/// | 10 | FreeNamed | 138 | Failed |
/// | 11 | OpenHeap | | |
/// | 12 | AllocateExtent | | |
/// | 13 | Retire | | |
/// | 14 | DestroyHeap | | |
/// | 15 | Unprotect | | |
/// | 16 | Goodbye | | |
final class ControlCodec {
    /// Longest message; the size of every send and receive buffer of a control queue pair.
    static final int MESSAGE_BYTES = 4096;
    /// Receives that each side keeps posted on a control queue pair.
    static final int RECEIVES = 64;
    /// Requests that a client may have on the way; fewer than [#RECEIVES], so that the other side always has a receive ready.
    static final int REQUESTS_MAX = 32;
    /// Request ids whose replies the node remembers for each session.
    static final int REPLIES_REMEMBERED = 256;

    /// Most keys in one [Keys].
    static final int KEYS_MAX = 320;
    /// Most leases in one [Relinquish].
    static final int LEASES_MAX = 500;
    /// Most ranges in one [Retire].
    static final int RANGES_MAX = 250;
    /// Longest name or principal, in bytes of UTF-8.
    static final int NAME_BYTES_MAX = 255;
    /// Longest detail of a failure, in bytes of UTF-8.
    static final int DETAIL_BYTES_MAX = 1024;

    static final int HEADER_BYTES = 16;
    private static final int VERSION = 'L' << 8 | 2;
    private static final int LENGTH_OFFSET = 4;

    private ControlCodec() {
    }

    /// A message and the id of the request that it is, or answers.
    record Frame(long requestId, ControlMessage message) {
    }

    /// Writes `message` to the start of `into`.
    ///
    /// @return its length in bytes
    /// @throws IllegalArgumentException if a list or a text is longer than the limits above
    static int encode(long requestId, ControlMessage message, MemorySegment into) {
        MessageWriter writer = new MessageWriter(into, 0);
        writer.u16(VERSION).u8(opcode(message)).u8(0).u32(0).u64(requestId);
        switch (message) {
            case ControlMessage.Request request -> writeRequest(request, writer);
            case ControlMessage.Reply reply -> writeReply(reply, writer);
        }
        into.set(MessageWriter.U32, LENGTH_OFFSET, writer.position());
        return writer.position();
    }

    /// Reads the message that fills `from`.
    static Frame decode(MemorySegment from) throws MalformedMessageException {
        MessageReader reader = new MessageReader(from, 0);
        int version = reader.u16();
        if (version != VERSION) {
            throw new MalformedMessageException("message starts with 0x" + Integer.toHexString(version) + ", expected 0x"
                    + Integer.toHexString(VERSION) + ": another version, or no peer of ours");
        }
        int opcode = reader.u8();
        int flags = reader.u8();
        int length = reader.u32();
        long requestId = reader.u64();
        if (flags != 0) {
            throw new MalformedMessageException("unknown flags 0x" + Integer.toHexString(flags));
        }
        if (length != from.byteSize()) {
            throw new MalformedMessageException("message says " + length + " bytes, but has " + from.byteSize());
        }
        ControlMessage message = opcode < Opcode.FIRST_REPLY ? readRequest(opcode, reader) : readReply(opcode, reader);
        reader.end();
        return new Frame(requestId, message);
    }

    /// The detail of a [Failed], cut to what fits.
    static String detail(String text) {
        // A char takes up to 3 bytes; a text that may be too long is cut where it surely fits, and not inside a pair.
        int max = DETAIL_BYTES_MAX / 3;
        if (text.length() <= max) {
            return text;
        }
        return text.substring(0, Character.isHighSurrogate(text.charAt(max - 1)) ? max - 1 : max);
    }

    private static int opcode(ControlMessage message) {
        return switch (message) {
            case Hello _ -> Opcode.HELLO;
            case Activate _ -> Opcode.ACTIVATE;
            case MoreKeys _ -> Opcode.MORE_KEYS;
            case Acquire _ -> Opcode.ACQUIRE;
            case Relinquish _ -> Opcode.RELINQUISH;
            case Beat _ -> Opcode.BEAT;
            case Allocate _ -> Opcode.ALLOCATE;
            case Free _ -> Opcode.FREE;
            case OpenNamed _ -> Opcode.OPEN_NAMED;
            case FreeNamed _ -> Opcode.FREE_NAMED;
            case OpenHeap _ -> Opcode.OPEN_HEAP;
            case AllocateExtent _ -> Opcode.ALLOCATE_EXTENT;
            case Retire _ -> Opcode.RETIRE;
            case DestroyHeap _ -> Opcode.DESTROY_HEAP;
            case Unprotect _ -> Opcode.UNPROTECT;
            case Goodbye _ -> Opcode.GOODBYE;
            case Welcome _ -> Opcode.WELCOME;
            case Keys _ -> Opcode.KEYS;
            case Granted _ -> Opcode.GRANTED;
            case Done _ -> Opcode.DONE;
            case BeatReply _ -> Opcode.BEAT_REPLY;
            case Allocated _ -> Opcode.ALLOCATED;
            case Named _ -> Opcode.NAMED;
            case Heap _ -> Opcode.HEAP;
            case Unprotected _ -> Opcode.UNPROTECTED;
            case Failed _ -> Opcode.FAILED;
        };
    }

    private static void writeRequest(ControlMessage.Request request, MessageWriter writer) {
        switch (request) {
            case Hello(UUID session, String principal, long epoch) -> writer.u64(session.getMostSignificantBits())
                    .u64(session.getLeastSignificantBits()).text(principal, NAME_BYTES_MAX).u64(epoch);
            case Activate(int index, int generation) -> writer.u32(index).u32(generation);
            case MoreKeys(int generation, int from) -> writer.u32(generation).u32(from);
            case Acquire acquire -> writer.u64(acquire.offset()).u64(acquire.lengthBytes()).u32(acquire.access())
                    .u8(acquire.mode().ordinal()).u64(acquire.unitNanos()).u32(acquire.units()).u64(acquire.maxLifeNanos())
                    .u64(acquire.patienceNanos()).bool(acquire.wholeChunk());
            case Relinquish(List<Long> leases) -> {
                writer.count(leases.size(), LEASES_MAX, "leases");
                leases.forEach(writer::u64);
            }
            case Beat(long clientNanos) -> writer.u64(clientNanos);
            case Allocate(long bytes) -> writer.u64(bytes);
            case Free(long offset) -> writer.u64(offset);
            case OpenNamed(String name, long bytes, boolean create) ->
                writer.text(name, NAME_BYTES_MAX).u64(bytes).bool(create);
            case FreeNamed(String name) -> writer.text(name, NAME_BYTES_MAX);
            case OpenHeap(String name, long bytes, boolean create) ->
                writer.text(name, NAME_BYTES_MAX).u64(bytes).bool(create);
            case AllocateExtent(long heap, HeapKind kind, long min, long preferred) ->
                writer.u64(heap).u8(kind.ordinal()).u64(min).u64(preferred);
            case Retire(long heap, List<Range> ranges) -> {
                writer.u64(heap).count(ranges.size(), RANGES_MAX, "ranges");
                ranges.forEach(range -> writer.u64(range.offset()).u64(range.lengthBytes()));
            }
            case DestroyHeap(String name) -> writer.text(name, NAME_BYTES_MAX);
            case Unprotect() -> { }
            case Goodbye() -> { }
        }
    }

    private static void writeReply(ControlMessage.Reply reply, MessageWriter writer) {
        switch (reply) {
            case Welcome welcome -> writer.u64(welcome.nodeEpoch()).u32(welcome.node()).u64(welcome.sessionTermNanos())
                    .u64(welcome.maxTermNanos()).u64(welcome.dataAddress()).u64(welcome.dataBytes()).u64(welcome.wordRowAddress())
                    .u32(welcome.words()).bool(welcome.unprotectedAllowed()).u8(welcome.backing().ordinal())
                    .u64(welcome.nodeNanos());
            case Keys(int wordKey, int generation, int total, int from, List<LeaseKey> keys) -> {
                writer.u32(wordKey).u32(generation).u32(total).u32(from).count(keys.size(), KEYS_MAX, "keys");
                keys.forEach(key -> writer.u64(key.lease()).u32(key.key()));
            }
            case Granted granted -> writer.u64(granted.lease()).u64(granted.offset()).u64(granted.lengthBytes())
                    .u32(granted.key()).u32(granted.generation()).u32(granted.word()).u32(granted.era()).u64(granted.beginNanos())
                    .u64(granted.unitNanos()).u32(granted.units()).u64(granted.endNanos()).u64(granted.nodeNanos());
            case Done() -> { }
            case BeatReply(long client, long arrived, long left) -> writer.u64(client).u64(arrived).u64(left);
            case Allocated(long offset, long bytes) -> writer.u64(offset).u64(bytes);
            case Named(long offset, long bytes, boolean created) -> writer.u64(offset).u64(bytes).bool(created);
            case Heap(long heap, long root, long bytes, boolean created) ->
                writer.u64(heap).u64(root).u64(bytes).bool(created);
            case Unprotected(int key) -> writer.u32(key);
            case Failed(Reason reason, String detail) -> writer.u8(reason.ordinal()).text(detail, DETAIL_BYTES_MAX);
        }
    }

    private static ControlMessage readRequest(int opcode, MessageReader in) throws MalformedMessageException {
        return switch (opcode) {
            case Opcode.HELLO -> new Hello(new UUID(in.u64(), in.u64()), in.text(NAME_BYTES_MAX), in.u64());
            case Opcode.ACTIVATE -> new Activate(in.u32(), in.u32());
            case Opcode.MORE_KEYS -> new MoreKeys(in.u32(), in.u32());
            case Opcode.ACQUIRE -> new Acquire(in.u64(), in.u64(), in.u32(), in.oneOf(LeaseMode.values()), in.u64(), in.u32(),
                    in.u64(), in.u64(), in.bool());
            case Opcode.RELINQUISH -> {
                int count = in.count(LEASES_MAX, "leases");
                List<Long> leases = new ArrayList<>(count);
                for (int i = 0; i < count; i++) {
                    leases.add(in.u64());
                }
                yield new Relinquish(leases);
            }
            case Opcode.BEAT -> new Beat(in.u64());
            case Opcode.ALLOCATE -> new Allocate(in.u64());
            case Opcode.FREE -> new Free(in.u64());
            case Opcode.OPEN_NAMED -> new OpenNamed(in.text(NAME_BYTES_MAX), in.u64(), in.bool());
            case Opcode.FREE_NAMED -> new FreeNamed(in.text(NAME_BYTES_MAX));
            case Opcode.OPEN_HEAP -> new OpenHeap(in.text(NAME_BYTES_MAX), in.u64(), in.bool());
            case Opcode.ALLOCATE_EXTENT -> new AllocateExtent(in.u64(), in.oneOf(HeapKind.values()), in.u64(), in.u64());
            case Opcode.RETIRE -> {
                long heap = in.u64();
                int count = in.count(RANGES_MAX, "ranges");
                List<Range> ranges = new ArrayList<>(count);
                for (int i = 0; i < count; i++) {
                    ranges.add(new Range(in.u64(), in.u64()));
                }
                yield new Retire(heap, ranges);
            }
            case Opcode.DESTROY_HEAP -> new DestroyHeap(in.text(NAME_BYTES_MAX));
            case Opcode.UNPROTECT -> new Unprotect();
            case Opcode.GOODBYE -> new Goodbye();
            default -> throw new MalformedMessageException("unknown opcode " + opcode);
        };
    }

    private static ControlMessage readReply(int opcode, MessageReader in) throws MalformedMessageException {
        return switch (opcode) {
            case Opcode.WELCOME -> new Welcome(in.u64(), in.u32(), in.u64(), in.u64(), in.u64(), in.u64(), in.u64(), in.u32(),
                    in.bool(), in.oneOf(LeaseBacking.values()), in.u64());
            case Opcode.KEYS -> {
                int wordKey = in.u32();
                int generation = in.u32();
                int total = in.u32();
                int from = in.u32();
                int count = in.count(KEYS_MAX, "keys");
                List<LeaseKey> keys = new ArrayList<>(count);
                for (int i = 0; i < count; i++) {
                    keys.add(new LeaseKey(in.u64(), in.u32()));
                }
                yield new Keys(wordKey, generation, total, from, keys);
            }
            case Opcode.GRANTED -> new Granted(in.u64(), in.u64(), in.u64(), in.u32(), in.u32(), in.u32(), in.u32(), in.u64(),
                    in.u64(), in.u32(), in.u64(), in.u64());
            case Opcode.DONE -> new Done();
            case Opcode.BEAT_REPLY -> new BeatReply(in.u64(), in.u64(), in.u64());
            case Opcode.ALLOCATED -> new Allocated(in.u64(), in.u64());
            case Opcode.NAMED -> new Named(in.u64(), in.u64(), in.bool());
            case Opcode.HEAP -> new Heap(in.u64(), in.u64(), in.u64(), in.bool());
            case Opcode.UNPROTECTED -> new Unprotected(in.u32());
            case Opcode.FAILED -> new Failed(in.oneOf(Reason.values()), in.text(DETAIL_BYTES_MAX));
            default -> throw new MalformedMessageException("unknown opcode " + opcode);
        };
    }

    /// The table above.
    private static final class Opcode {
        static final int HELLO = 1;
        static final int ACTIVATE = 2;
        static final int MORE_KEYS = 3;
        static final int ACQUIRE = 4;
        static final int RELINQUISH = 5;
        static final int BEAT = 6;
        static final int ALLOCATE = 7;
        static final int FREE = 8;
        static final int OPEN_NAMED = 9;
        static final int FREE_NAMED = 10;
        static final int OPEN_HEAP = 11;
        static final int ALLOCATE_EXTENT = 12;
        static final int RETIRE = 13;
        static final int DESTROY_HEAP = 14;
        static final int UNPROTECT = 15;
        static final int GOODBYE = 16;

        static final int FIRST_REPLY = 128;
        static final int WELCOME = 129;
        static final int KEYS = 130;
        static final int GRANTED = 131;
        static final int DONE = 132;
        static final int BEAT_REPLY = 133;
        static final int ALLOCATED = 134;
        static final int NAMED = 135;
        static final int HEAP = 136;
        static final int UNPROTECTED = 137;
        static final int FAILED = 138;

        private Opcode() {
        }
    }
}
