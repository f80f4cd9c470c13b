package io.leasehold.benchmarks;

import java.util.SplittableRandom;

/// The core workloads of YCSB that name single keys: what share of the operations is of which kind.
enum Mix {
    /// Half reads, half updates.
    A(0.5, 0.5, 0),
    /// Mostly reads.
    B(0.95, 0.05, 0),
    /// Only reads.
    C(1, 0, 0),
    /// Reads of what was inserted last, and insertions.
    D(0.95, 0, 0.05),
    /// Half reads; the others read an entry, and write it again.
    F(0.5, 0, 0);

    /// What is done to an entry.
    enum Kind {
        READ, UPDATE, INSERT, READ_MODIFY_WRITE
    }

    private final double reads;
    private final double updates;
    private final double inserts;

    Mix(double reads, double updates, double inserts) {
        this.reads = reads;
        this.updates = updates;
        this.inserts = inserts;
    }

    /// The share of `kind`, 0 to 1.
    double share(Kind kind) {
        return switch (kind) {
            case READ -> reads;
            case UPDATE -> updates;
            case INSERT -> inserts;
            case READ_MODIFY_WRITE -> 1 - reads - updates - inserts;
        };
    }

    boolean inserts() {
        return inserts > 0;
    }

    Kind draw(SplittableRandom random) {
        double drawn = random.nextDouble();
        if (drawn < reads) {
            return Kind.READ;
        }
        if (drawn < reads + updates) {
            return Kind.UPDATE;
        }
        return drawn < reads + updates + inserts ? Kind.INSERT : Kind.READ_MODIFY_WRITE;
    }
}
