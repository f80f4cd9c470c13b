package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// A memory node in this JVM for tests of structures: memory, an allocator that reuses as early as leases allow, and exclusive
/// ranges.
///
/// Its clients are [SimulatedMemory]s. Whoever runs when is up to a [Schedule].
final class SimulatedNode implements AutoCloseable {
    private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle();
    /// Address of the first byte: not 0, which is never allocated.
    private static final long BASE = 1 << 16;

    final Schedule schedule;
    final long rootBytes;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment memory;
    private final TreeMap<Long, Integer> allocated = new TreeMap<>();
    private final Map<Integer, ArrayDeque<Long>> free = new HashMap<>();
    private final List<Retired> quarantine = new ArrayList<>();
    private final List<SimulatedAccess> pinned = new ArrayList<>();
    private final Map<SimulatedMemory, Kept> kept = new HashMap<>();
    private long serials;
    private final List<Held> exclusives = new ArrayList<>();
    private final TreeMap<Long, Integer> retiredEver = new TreeMap<>();
    private long next;
    private long epoch;

    private record Retired(long address, int lengthBytes, long epoch) {
    }

    /// The lease that a client keeps between its accesses, from when one of them asked [Access#since()].
    private record Kept(long serial, long pinEpoch) {
    }

    /// An exclusive range that a client holds.
    static final class Held {
        final long address;
        final long lengthBytes;
        final SimulatedMemory holder;
        boolean ended;

        Held(long address, long lengthBytes, SimulatedMemory holder) {
            this.address = address;
            this.lengthBytes = lengthBytes;
            this.holder = holder;
        }
    }

    SimulatedNode(Schedule schedule, long memoryBytes, long rootBytes) {
        this.schedule = schedule;
        this.rootBytes = rootBytes;
        memory = arena.allocate(memoryBytes, Memory.GRANULE);
        next = BASE + align(rootBytes);
    }

    private static long align(long bytes) {
        return (bytes + Memory.GRANULE - 1) / Memory.GRANULE * Memory.GRANULE;
    }

    long root() {
        return BASE;
    }

    long word(long address) {
        return (long) WORD.getVolatile(memory, address - BASE);
    }

    void setWord(long address, long word) {
        WORD.setVolatile(memory, address - BASE, word);
    }

    long compareAndExchange(long address, long expected, long desired) {
        checkAligned(address);
        return (long) WORD.compareAndExchange(memory, address - BASE, expected, desired);
    }

    long getAndAdd(long address, long addend) {
        checkAligned(address);
        return (long) WORD.getAndAdd(memory, address - BASE, addend);
    }

    void checkAligned(long address) {
        if (address % Long.BYTES != 0) {
            throw new AssertionError("unaligned word at " + address);
        }
    }

    void checkRange(long address, long lengthBytes) {
        if (address < BASE || address + lengthBytes > BASE + memory.byteSize()) {
            throw new AssertionError("access to [" + address + ", +" + lengthBytes + ") outside the memory");
        }
    }

    byte byteAt(long address) {
        return memory.get(ValueLayout.JAVA_BYTE, address - BASE);
    }

    void setByte(long address, byte value) {
        memory.set(ValueLayout.JAVA_BYTE, address - BASE, value);
    }

    synchronized long allocate(HeapKind kind, int lengthBytes) {
        int size = (int) align(lengthBytes);
        release();
        ArrayDeque<Long> list = free.get(key(kind, size));
        long address;
        if (list != null && !list.isEmpty()) {
            address = list.poll();
        } else {
            address = next;
            next += size;
            if (next > BASE + memory.byteSize()) {
                throw new AssertionError("simulated node is out of memory; give the test more");
            }
        }
        allocated.put(address, size);
        return address;
    }

    private static int key(HeapKind kind, int size) {
        return size * 2 + kind.ordinal();
    }

    synchronized void retire(HeapKind kind, long address, int lengthBytes, boolean atOnce) {
        int size = (int) align(lengthBytes);
        Map.Entry<Long, Integer> block = allocated.floorEntry(address);
        if (block == null || block.getKey() + block.getValue() < address + size) {
            throw new AssertionError("retire of [" + address + ", +" + size + ") which is "
                    + (retiredEver.containsKey(address) ? "retired already" : "not allocated"));
        }
        // What is left of a block of which only a part is retired.
        long before = address - block.getKey();
        allocated.remove(block.getKey());
        if (before > 0) {
            allocated.put(block.getKey(), (int) before);
        }
        if (before + size < block.getValue()) {
            allocated.put(address + size, (int) (block.getValue() - before - size));
        }
        retiredEver.put(address, size);
        if (atOnce) {
            free.computeIfAbsent(key(kind, size), ignored -> new ArrayDeque<>()).addFirst(address);
        } else {
            quarantine.add(new Retired(address, key(kind, size), ++epoch));
        }
    }

    /// Moves out of quarantine what no living lease can have seen.
    private void release() {
        long oldest = Long.MAX_VALUE;
        for (SimulatedAccess access : pinned) {
            oldest = Math.min(oldest, access.pinEpoch);
        }
        for (Kept lease : kept.values()) {
            oldest = Math.min(oldest, lease.pinEpoch);
        }
        long bound = oldest;
        quarantine.removeIf(retired -> {
            if (retired.epoch > bound) {
                return false;
            }
            free.computeIfAbsent(retired.lengthBytes, ignored -> new ArrayDeque<>()).addFirst(retired.address);
            return true;
        });
    }

    /// How many words of all memory, at places where a bucket may begin, are headers of this kind: retired subtables keep theirs.
    synchronized int headers(int kind) {
        int count = 0;
        for (long address = BASE; address < next; address += Memory.GRANULE) {
            count += word(address) >>> HeaderWord.KIND_SHIFT == kind ? 1 : 0;
        }
        return count;
    }

    /// Bytes that are allocated and not retired.
    synchronized long allocatedBytes() {
        return allocated.values().stream().mapToLong(Integer::longValue).sum();
    }

    synchronized void pin(SimulatedAccess access) {
        access.pinEpoch = epoch;
        pinned.add(access);
    }

    /// Pins `access` as of `since`; false if the lease kept since then has ended.
    synchronized boolean pin(SimulatedAccess access, long since) {
        Kept lease = kept.get(access.memory);
        if (lease == null || lease.serial != since) {
            return false;
        }
        access.pinEpoch = lease.pinEpoch;
        pinned.add(access);
        return true;
    }

    /// Keeps the lease of `access` when that is over, and returns what later accesses know it by.
    synchronized long keep(SimulatedAccess access) {
        Kept lease = kept.get(access.memory);
        if (lease == null) {
            lease = new Kept(++serials, access.pinEpoch);
            kept.put(access.memory, lease);
        }
        return lease.pinEpoch <= access.pinEpoch ? lease.serial : -1;
    }

    /// Ends the lease that `client` keeps between its accesses.
    synchronized void lapse(SimulatedMemory client) {
        kept.remove(client);
    }

    /// Ends the leases that clients keep between their accesses: what was retired can be reused.
    synchronized void lapseAll() {
        kept.clear();
    }

    synchronized void unpin(SimulatedAccess access) {
        pinned.remove(access);
    }

    /// Ends the leases of `client`: its accesses are stale, its exclusives are over.
    synchronized void expire(SimulatedMemory client) {
        kept.remove(client);
        pinned.removeIf(access -> {
            boolean his = access.memory == client;
            access.stale |= his;
            return his;
        });
        exclusives.removeIf(held -> {
            boolean his = held.holder == client;
            held.ended |= his;
            return his;
        });
    }

    /// Ends the exclusive right to `address` alone; its holder does not know.
    ///
    /// @return whether there was one
    synchronized boolean endExclusive(long address) {
        return exclusives.removeIf(held -> {
            boolean isIt = held.address == address;
            held.ended |= isIt;
            return isIt;
        });
    }

    synchronized @org.jspecify.annotations.Nullable Held tryExclusive(long address, long lengthBytes, SimulatedMemory client) {
        for (Held held : exclusives) {
            if (held.address < address + lengthBytes && address < held.address + held.lengthBytes) {
                return null;
            }
        }
        Held held = new Held(address, lengthBytes, client);
        exclusives.add(held);
        return held;
    }

    synchronized void release(Held held) {
        held.ended = true;
        exclusives.remove(held);
    }

    /// Frees the memory; whoever touches it from then on fails.
    @Override
    public void close() {
        arena.close();
    }
}
