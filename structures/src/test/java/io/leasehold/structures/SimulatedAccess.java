package io.leasehold.structures;

import io.leasehold.lease.Failures;
import io.leasehold.lease.HeapKind;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// The access of one operation to a [SimulatedNode].
final class SimulatedAccess implements Access {
    final SimulatedMemory memory;
    /// What was retired after this cannot be reused while the access is pinned.
    volatile long pinEpoch = Long.MAX_VALUE;
    volatile boolean stale;
    private boolean isPinned;
    private long since;
    private final List<Step> steps = new ArrayList<>();
    /// What READs fill and WRITEs come from; one for all, since native memory is dear to allocate.
    private MemorySegment slab = MemorySegment.NULL;
    private long used;

    private enum Verb {
        READ, WRITE, CAS, FAA
    }

    private static final class Step {
        final Verb verb;
        final long address;
        final MemorySegment data;
        final long expected;
        final long desired;
        long previous;
        boolean executed;

        Step(Verb verb, long address, MemorySegment data, long expected, long desired) {
            this.verb = verb;
            this.address = address;
            this.data = data;
            this.expected = expected;
            this.desired = desired;
        }
    }

    /// @param since when it begins, 0 for now
    SimulatedAccess(SimulatedMemory memory, long since) {
        this.memory = memory;
        this.since = since;
    }

    private void pin() {
        if (isPinned) {
            return;
        }
        stale = false;
        if (since == 0) {
            memory.node().pin(this);
        } else {
            stale = !memory.node().pin(this, since);
        }
        isPinned = true;
    }

    private int add(Verb verb, long address, MemorySegment data, long expected, long desired) {
        pin();
        steps.add(new Step(verb, address, data, expected, desired));
        return steps.size() - 1;
    }

    @Override
    public int read(HeapKind kind, long address, int lengthBytes) {
        return add(Verb.READ, address, local(lengthBytes), 0, 0);
    }

    @Override
    public int readFound(long address, int lengthBytes) {
        return read(HeapKind.DATA, address, lengthBytes);
    }

    @Override
    public int readGuessed(long address, int lengthBytes) {
        return read(HeapKind.DATA, address, lengthBytes);
    }

    @Override
    public void rely(long address) {
        pin();
    }

    @Override
    public int write(HeapKind kind, long address, MemorySegment from) {
        return add(Verb.WRITE, address, local(from.byteSize()).copyFrom(from), 0, 0);
    }

    @Override
    public int compareAndSwap(long address, long expected, long desired) {
        return add(Verb.CAS, address, MemorySegment.NULL, expected, desired);
    }

    @Override
    public int fetchAndAdd(long address, long addend) {
        return add(Verb.FAA, address, MemorySegment.NULL, addend, 0);
    }

    /// Local memory, until [#next()].
    private MemorySegment local(long lengthBytes) {
        if (used + lengthBytes > slab.byteSize()) {
            slab = memory.slab(lengthBytes);
            used = 0;
        }
        MemorySegment part = slab.asSlice(used, lengthBytes);
        used += lengthBytes + Long.BYTES - 1 & -Long.BYTES;
        return part;
    }

    @Override
    public int size() {
        return steps.size();
    }

    @Override
    public void execute() {
        SimulatedMemory.Break broken = memory.nextBreak(steps.size());
        for (int i = 0; i < steps.size(); i++) {
            if (broken != null && i == broken.from()) {
                carryOut(i, i + broken.carriedOut());
                if (hasAtomicFrom(i)) {
                    throw Failures.outcomeUnknown();
                }
                // A session repeats READs and WRITEs by itself.
                broken = null;
            }
            Step step = steps.get(i);
            if (!step.executed) {
                carryOut(step);
                step.executed = true;
            }
        }
    }

    /// Carries out steps that nobody will ever hear of.
    private void carryOut(int from, int to) {
        for (int i = from; i < to && !stale; i++) {
            try {
                carryOut(steps.get(i));
            } catch (StaleAccess e) {
                return;
            }
        }
    }

    private boolean hasAtomicFrom(int from) {
        return steps.subList(from, steps.size()).stream().anyMatch(step -> step.verb == Verb.CAS || step.verb == Verb.FAA);
    }

    private void carryOut(Step step) {
        memory.step(step.verb.name(), step.address);
        memory.fault(step.verb.name(), step.address);
        if (stale) {
            throw new StaleAccess("simulated lease has ended", null);
        }
        switch (step.verb) {
            case READ -> memory.readInto(step.address, step.data);
            case WRITE -> memory.writeFrom(step.address, step.data);
            case CAS -> step.previous = memory.node().compareAndExchange(step.address, step.expected, step.desired);
            case FAA -> step.previous = memory.node().getAndAdd(step.address, step.expected);
        }
    }

    @Override
    public boolean executed(int position) {
        return steps.get(position).executed;
    }

    @Override
    public MemorySegment data(int position) {
        return steps.get(position).data;
    }

    @Override
    public long previous(int position) {
        return steps.get(position).previous;
    }

    @Override
    public void next() {
        steps.clear();
        used = 0;
    }

    @Override
    public void restart() {
        steps.clear();
        used = 0;
        if (isPinned) {
            memory.node().unpin(this);
            isPinned = false;
        }
        stale = false;
        since = 0;
    }

    @Override
    public long since() {
        pin();
        return stale ? -1 : memory.node().keep(this);
    }

    @Override
    public void close() {
        restart();
        memory.giveBack(slab);
        slab = MemorySegment.NULL;
    }
}
