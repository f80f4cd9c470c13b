package io.leasehold.structures;

import io.leasehold.lease.HeapKind;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// One client of a [SimulatedNode]. Each verb is one step of the schedule, and a hook runs before it; with `tear` a READ or WRITE
/// takes a step
/// between its words, in random order.
final class SimulatedMemory implements Memory {
    private static final int SLAB_BYTES = 1 << 14;

    private final SimulatedNode node;
    private final Random random;
    private final boolean tear;
    private final ConcurrentLinkedQueue<MemorySegment> slabs = new ConcurrentLinkedQueue<>();
    /// Whether the node is closed with this client, which is its only one.
    private boolean isAlone;
    private volatile long skewNanos;
    private volatile Schedule.Hook hook = (client, verb, address) -> {
    };

    SimulatedMemory(SimulatedNode node, long seed, boolean tear) {
        this.node = node;
        random = new Random(seed);
        this.tear = tear;
    }

    /// A node of 64 MiB without a schedule, and one client, with which it is closed: for tests of plain behaviour.
    static SimulatedMemory alone(long rootBytes) {
        SimulatedMemory memory = new SimulatedMemory(new SimulatedNode(Schedule.free(), 64 << 20, rootBytes), 1, false);
        memory.isAlone = true;
        return memory;
    }

    SimulatedNode node() {
        return node;
    }

    /// What happens to a verb apart from being carried out.
    enum Fault {
        /// Nothing.
        NONE,
        /// The client's leases end just before it.
        STALE,
        /// The client dies before it, for ever.
        KILLED
    }

    /// Decides which fault befalls the verb that is next.
    interface Faults {
        Fault next(String verb, long address);
    }

    /// The connection breaks under a doorbell: the steps from `from` on get no answer. Of these the first `carriedOut` are carried
    /// out all the same, as many as a reliable connection carries out in order before it breaks.
    record Break(int from, int carriedOut) {
    }

    /// Decides whether the connection breaks under a doorbell.
    interface Breaks {
        /// @param steps of the doorbell
        @Nullable Break next(int steps);

        /// At any doorbell with a chance of 1 to `odds`, anywhere; most often no answer comes at all.
        static Breaks at(int odds, Random random) {
            return steps -> {
                if (steps == 0 || random.nextInt(odds) > 0) {
                    return null;
                }
                int from = random.nextInt(3) > 0 ? 0 : random.nextInt(steps);
                return new Break(from, random.nextInt(steps - from + 1));
            };
        }
    }

    private volatile Faults faults = (verb, address) -> Fault.NONE;
    private volatile Breaks breaks = steps -> null;

    void faults(Faults newFaults) {
        faults = newFaults;
    }

    void breaks(Breaks newBreaks) {
        breaks = newBreaks;
    }

    @Nullable Break nextBreak(int steps) {
        return breaks.next(steps);
    }

    /// Lets a fault befall the verb that is next.
    void fault(String verb, long address) {
        Fault fault = faults.next(verb, address);
        if (fault == Fault.STALE) {
            node.expire(this);
        } else if (fault == Fault.KILLED) {
            throw new Schedule.Killed();
        }
    }

    void hook(Schedule.Hook newHook) {
        hook = newHook;
    }

    void step(String verb, long address) {
        hook.before(this, verb, address);
        node.schedule.step(1_000);
    }

    void readInto(long address, MemorySegment into) {
        node.checkRange(address, into.byteSize());
        move(address, into, true);
    }

    void writeFrom(long address, MemorySegment from) {
        node.checkRange(address, from.byteSize());
        move(address, from, false);
    }

    private void move(long address, MemorySegment local, boolean read) {
        int words = (int) (local.byteSize() / Long.BYTES);
        boolean torn = tear && words > 1 && words <= 4096 && random.nextInt(4) == 0;
        int start = torn ? random.nextInt(words) : 0;
        int stride = torn && words % 7 != 0 ? 7 : 1;
        int stops = torn ? 1 + random.nextInt(3) : 0;
        for (int i = 0; i < words; i++) {
            long offset = (start + (long) i * stride) % words * Long.BYTES;
            if (stops > 0 && random.nextInt(words) < 2) {
                stops--;
                step(read ? "tear READ" : "tear WRITE", address + offset);
            }
            if (read) {
                local.set(ValueLayout.JAVA_LONG_UNALIGNED, offset, node.word(address + offset));
            } else {
                node.setWord(address + offset, local.get(ValueLayout.JAVA_LONG_UNALIGNED, offset));
            }
        }
        for (long offset = (long) words * Long.BYTES; offset < local.byteSize(); offset++) {
            if (read) {
                local.set(ValueLayout.JAVA_BYTE, offset, node.byteAt(address + offset));
            } else {
                node.setByte(address + offset, local.get(ValueLayout.JAVA_BYTE, offset));
            }
        }
    }

    /// Local memory for an access.
    MemorySegment slab(long leastBytes) {
        MemorySegment idle = leastBytes > SLAB_BYTES ? null : slabs.poll();
        return idle != null ? idle : Arena.ofAuto().allocate(Math.max(leastBytes, SLAB_BYTES), Long.BYTES);
    }

    void giveBack(MemorySegment slab) {
        if (slab.byteSize() == SLAB_BYTES) {
            slabs.offer(slab);
        }
    }

    @Override
    public long root() {
        return node.root();
    }

    @Override
    public long rootBytes() {
        return node.rootBytes;
    }

    @Override
    public Access access() {
        return new SimulatedAccess(this, 0);
    }

    @Override
    public Access access(long since) {
        if (tear && random.nextInt(32) == 0) {
            node.lapse(this);
        }
        return new SimulatedAccess(this, since);
    }

    @Override
    public long allocate(HeapKind kind, int lengthBytes) {
        return node.allocate(kind, lengthBytes);
    }

    @Override
    public void retire(HeapKind kind, long address, int lengthBytes) {
        node.retire(kind, address, lengthBytes, false);
    }

    @Override
    public void abandon(HeapKind kind, long address, int lengthBytes) {
        node.retire(kind, address, lengthBytes, true);
    }

    @Override
    public Exclusive exclusive(long address, long lengthBytes, Duration patience) {
        long deadline = node.schedule.nanos() + patience.toNanos();
        while (true) {
            step("exclusive", address);
            SimulatedNode.Held held = node.tryExclusive(address, lengthBytes, this);
            if (held != null) {
                return new Held(held);
            }
            if (node.schedule.nanos() > deadline) {
                throw new StaleAccess("simulated exclusive range was not free in time", null);
            }
            Thread.onSpinWait();
        }
    }

    @Override
    public LongSupplier clock() {
        return node.schedule::nanos;
    }

    /// Has this client believe that the node's clock is off by so much.
    void skew(long nanos) {
        skewNanos = nanos;
    }

    @Override
    public LongSupplier nodeClock() {
        return () -> node.schedule.nanos() + skewNanos;
    }

    @Override
    public RandomGenerator random() {
        return random;
    }

    @Override
    public void pause(long nanos) {
        node.schedule.step(Math.max(nanos, 1_000));
        Thread.yield();
    }

    @Override
    public void close() {
        node.expire(this);
        if (isAlone) {
            node.close();
        }
    }

    private final class Held implements Exclusive {
        private final SimulatedNode.Held held;
        private final List<long[]> added = new ArrayList<>();

        Held(SimulatedNode.Held held) {
            this.held = held;
        }

        private void check(long address, long lengthBytes) {
            if (address < held.address || address + lengthBytes > held.address + held.lengthBytes) {
                throw new AssertionError("write outside the exclusive range");
            }
            if (held.ended) {
                throw new StaleAccess("simulated exclusive right has ended", null);
            }
        }

        @Override
        public void write(long address, MemorySegment from) {
            step("exclusive WRITE", address);
            check(address, from.byteSize());
            writeFrom(address, from);
        }

        @Override
        public void writeWord(long address, long word) {
            step("exclusive WRITE", address);
            check(address, Long.BYTES);
            node.setWord(address, word);
        }

        @Override
        public void add(long address, long word) {
            added.add(new long[] {address, word});
        }

        @Override
        public void flush() {
            for (long[] write : added) {
                writeWord(write[0], write[1]);
            }
            added.clear();
        }

        @Override
        public void close() {
            node.release(held);
        }
    }
}
