package io.leasehold.structures;

import io.leasehold.lease.Failures;
import io.leasehold.lease.HeapKind;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;

/// A memory that counts what passes through it, and may say of a compare-and-swap that nobody knows whether it was carried out.
final class WatchedMemory implements Memory {
    /// One READ.
    record Read(HeapKind kind, long address, int lengthBytes) {
    }

    private final Memory memory;
    private final boolean reusesAtOnce;
    private final List<Read> reads = new ArrayList<>();
    private int roundTrips;
    private int exclusives;
    private int swapsToDoubt;
    private Runnable afterDoubt = () -> {
    };
    private int roundTripsToWatch;
    private Runnable afterRoundTrip = () -> {
    };

    WatchedMemory(Memory memory) {
        this(memory, false);
    }

    /// @param reusesAtOnce whether retired blocks are reused at once, as if no lease protected them
    WatchedMemory(Memory memory, boolean reusesAtOnce) {
        this.memory = memory;
        this.reusesAtOnce = reusesAtOnce;
    }

    /// Starts counting anew.
    void reset() {
        reads.clear();
        roundTrips = 0;
        exclusives = 0;
    }

    /// Has the `swap`th compare-and-swap from now carried out, but not answered. `then` runs before its client learns of it.
    void leaveInDoubt(int swap, Runnable then) {
        swapsToDoubt = swap;
        afterDoubt = then;
    }

    /// Has `then` run once, when the `number`th doorbell from now has ended and before its client looks at what it brought.
    void afterRoundTrip(int number, Runnable then) {
        roundTripsToWatch = number;
        afterRoundTrip = then;
    }

    /// Doorbells whose end was waited for.
    int roundTrips() {
        return roundTrips;
    }

    int exclusives() {
        return exclusives;
    }

    List<Read> reads() {
        return reads;
    }

    @Override
    public long root() {
        return memory.root();
    }

    @Override
    public long rootBytes() {
        return memory.rootBytes();
    }

    @Override
    public Access access() {
        return new Watched(memory.access());
    }

    @Override
    public Access access(long since) {
        return new Watched(memory.access(since));
    }

    @Override
    public boolean mayRely(long address, long since) {
        return memory.mayRely(address, since);
    }

    @Override
    public long allocate(HeapKind kind, int lengthBytes) {
        return memory.allocate(kind, lengthBytes);
    }

    @Override
    public void retire(HeapKind kind, long address, int lengthBytes) {
        if (reusesAtOnce) {
            memory.abandon(kind, address, lengthBytes);
        } else {
            memory.retire(kind, address, lengthBytes);
        }
    }

    @Override
    public void abandon(HeapKind kind, long address, int lengthBytes) {
        memory.abandon(kind, address, lengthBytes);
    }

    @Override
    public Exclusive exclusive(long address, long lengthBytes, Duration patience) {
        exclusives++;
        return memory.exclusive(address, lengthBytes, patience);
    }

    @Override
    public LongSupplier clock() {
        return memory.clock();
    }

    @Override
    public LongSupplier nodeClock() {
        return memory.nodeClock();
    }

    @Override
    public RandomGenerator random() {
        return memory.random();
    }

    @Override
    public void pause(long nanos) {
        memory.pause(nanos);
    }

    @Override
    public void close() {
        memory.close();
    }

    private final class Watched implements Access {
        private final Access access;
        private int doubtful = Integer.MAX_VALUE;
        private boolean isInDoubt;

        Watched(Access access) {
            this.access = access;
        }

        @Override
        public int read(HeapKind kind, long address, int lengthBytes) {
            reads.add(new Read(kind, address, lengthBytes));
            return access.read(kind, address, lengthBytes);
        }

        @Override
        public int readFound(long address, int lengthBytes) {
            reads.add(new Read(HeapKind.DATA, address, lengthBytes));
            return access.readFound(address, lengthBytes);
        }

        @Override
        public void relyFrom(long since) {
            access.relyFrom(since);
        }

        @Override
        public int readGuessed(long address, int lengthBytes) {
            reads.add(new Read(HeapKind.DATA, address, lengthBytes));
            return access.readGuessed(address, lengthBytes);
        }

        @Override
        public void rely(long address) {
            access.rely(address);
        }

        @Override
        public int write(HeapKind kind, long address, MemorySegment from) {
            return access.write(kind, address, from);
        }

        @Override
        public int compareAndSwap(long address, long expected, long desired) {
            if (swapsToDoubt > 0 && --swapsToDoubt == 0) {
                doubtful = access.size();
            }
            return access.compareAndSwap(address, expected, desired);
        }

        @Override
        public int fetchAndAdd(long address, long addend) {
            return access.fetchAndAdd(address, addend);
        }

        @Override
        public int size() {
            return access.size();
        }

        @Override
        public void execute() {
            roundTrips++;
            access.execute();
            if (roundTripsToWatch > 0 && --roundTripsToWatch == 0) {
                afterRoundTrip.run();
            }
            if (doubtful != Integer.MAX_VALUE) {
                isInDoubt = true;
                afterDoubt.run();
                throw Failures.outcomeUnknown();
            }
        }

        @Override
        public boolean executed(int position) {
            return (!isInDoubt || position < doubtful) && access.executed(position);
        }

        @Override
        public MemorySegment data(int position) {
            return access.data(position);
        }

        @Override
        public long previous(int position) {
            return access.previous(position);
        }

        @Override
        public void next() {
            doubtful = Integer.MAX_VALUE;
            isInDoubt = false;
            access.next();
        }

        @Override
        public void restart() {
            doubtful = Integer.MAX_VALUE;
            isInDoubt = false;
            access.restart();
        }

        @Override
        public long since() {
            return access.since();
        }

        @Override
        public void close() {
            access.close();
        }
    }
}
