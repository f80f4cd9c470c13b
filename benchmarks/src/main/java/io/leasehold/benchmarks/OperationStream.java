package io.leasehold.benchmarks;

import java.util.SplittableRandom;

/// Draws one operation of a workload after the other. The seed determines all. For one thread.
final class OperationStream {
    private final Workload workload;
    private final SplittableRandom random;
    private final long insertBase;
    private final Zipfian zipfian;
    private long inserted;
    private long settled;
    private Mix.Kind kind = Mix.Kind.READ;
    private long entry;

    /// @param zipfian of the workload's entries
    /// @param insertBase number of the first entry that it inserts; not below the workload's entries
    OperationStream(Workload workload, Zipfian zipfian, long seed, long insertBase) {
        if (insertBase < workload.entries()) {
            throw new IllegalArgumentException("insertions from " + insertBase + " on would meet the " + workload.entries() + " loaded");
        }
        this.workload = workload;
        this.zipfian = zipfian;
        this.insertBase = insertBase;
        random = new SplittableRandom(seed);
    }

    /// Draws the next operation.
    void advance() {
        kind = workload.mix().draw(random);
        entry = kind == Mix.Kind.INSERT ? insertBase + inserted++ : switch (workload.distribution()) {
            case UNIFORM -> random.nextLong(workload.entries());
            // Keys have no order, so it does not matter which entries are the frequent ones.
            case ZIPFIAN -> zipfian.draw(random);
            case LATEST -> latest(zipfian.draw(random));
        };
    }

    /// The entry before which `age` others were inserted last.
    private long latest(long age) {
        return age < settled ? insertBase + settled - 1 - age : workload.entries() - 1 - (age - settled);
    }

    /// Tells that all operations drawn so far have been carried out: what they inserted may be read.
    void settle() {
        settled = inserted;
    }

    /// What the operation drawn is.
    Mix.Kind kind() {
        return kind;
    }

    /// The number of the entry that it is about.
    long entry() {
        return entry;
    }

    /// How many entries it has inserted, from the base on.
    long inserted() {
        return inserted;
    }
}
