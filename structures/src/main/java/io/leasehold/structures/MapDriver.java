package io.leasehold.structures;

import io.leasehold.lease.OutcomeUnknownException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import org.jspecify.annotations.Nullable;

/// Carries operations out: one, or several at once whose phases share doorbells. Thread-safe.
final class MapDriver<K, V> {
    /// Keys whose operations run at once in a batch.
    static final int BATCH_KEYS = 64;
    /// About how many bytes one doorbell moves at most; more waits for the next one.
    private static final int DOORBELL_BYTES_MAX = 1 << 20;
    private static final int POOLED_OPERATIONS = 256;
    /// Doorbells that an operation may take before its time is looked at.
    private static final int FREE_ROUNDS = 16;
    private static final long PAUSE_NANOS_MIN = 2_000;
    private static final int PAUSE_DOUBLINGS_MAX = 8;
    /// Pauses that a split may take, about 3 ms in all, before whoever waits for it looks whether its owner lives.
    private static final int PATIENT_PAUSES = 12;

    private final MapContext<K, V> context;
    private final Resizer resizer;
    private final ArrayBlockingQueue<MapOperation<K, V>> idle = new ArrayBlockingQueue<>(POOLED_OPERATIONS);

    MapDriver(MapContext<K, V> context, Resizer resizer) {
        this.context = context;
        this.resizer = resizer;
    }

    /// Carries out one operation.
    ///
    /// @param name of the operation, for messages
    <I extends Intent<V>> I run(String name, K key, I intent) {
        MapOperation<K, V> operation = borrow();
        boolean done = false;
        try {
            long since = operation.begin(key, intent);
            if (operation.next() != MapOperation.Step.DONE) {
                run(name, operation.alone(), since);
            }
            done = true;
            return intent;
        } finally {
            operation.end(done);
            idle.offer(operation);
        }
    }

    /// Carries out as many operations as there are keys, at most [#BATCH_KEYS], phase by phase together.
    void runAll(String name, List<K> keys, List<? extends Intent<V>> intents) {
        List<MapOperation<K, V>> operations = new ArrayList<>(keys.size());
        boolean done = false;
        try {
            long since = Long.MAX_VALUE;
            for (int i = 0; i < keys.size(); i++) {
                MapOperation<K, V> operation = borrow();
                operations.add(operation);
                since = Math.min(since, operation.begin(keys.get(i), intents.get(i)));
            }
            if (operations.stream().anyMatch(operation -> operation.next() != MapOperation.Step.DONE)) {
                run(name, operations, since);
            }
            done = true;
        } finally {
            for (MapOperation<K, V> operation : operations) {
                operation.end(done);
                idle.offer(operation);
            }
        }
    }

    private MapOperation<K, V> borrow() {
        MapOperation<K, V> pooled = idle.poll();
        return pooled != null ? pooled : new MapOperation<>(context);
    }

    private void run(String name, List<MapOperation<K, V>> operations, long since) {
        Memory memory = context.memory();
        try (Access access = since == Long.MAX_VALUE ? memory.access() : memory.access(since)) {
            new Run(name, operations, access).run();
        }
    }

    /// Operations on their way through one access.
    private final class Run {
        private final String name;
        private final List<MapOperation<K, V>> operations;
        private final Access access;
        private int rounds;
        private int pauses;
        private @Nullable Deadline deadline;
        private @Nullable RuntimeException failure;

        Run(String name, List<MapOperation<K, V>> operations, Access access) {
            this.name = name;
            this.operations = operations;
            this.access = access;
        }

        void run() {
            while (round()) {
                splitOrWait();
                if (++rounds > FREE_ROUNDS) {
                    deadline().retry(phase(), null);
                }
            }
            if (failure != null) {
                throw failure;
            }
            mergeNowAndThen();
        }

        /// Looks after some removals whether they have left too little to be worth two subtables.
        private void mergeNowAndThen() {
            for (int i = 0; i < operations.size(); i++) {
                if (operations.get(i).hasEmptied() && resizer.looksAround()) {
                    resizer.mergeAround(operations.get(i).hash(), context.deadline("merge"));
                    return;
                }
            }
        }

        private Deadline deadline() {
            if (deadline == null) {
                deadline = context.deadline(name);
            }
            return deadline;
        }

        private String phase() {
            for (MapOperation<K, V> operation : operations) {
                if (operation.next() != MapOperation.Step.DONE) {
                    return operation.phase();
                }
            }
            return "DONE";
        }

        /// Carries out one phase of each operation.
        ///
        /// @return whether there is more to do
        private boolean round() {
            access.next();
            boolean executes = false;
            try {
                post();
                executes = true;
                access.execute();
            } catch (StaleAccess e) {
                return startOver(executes, null, e);
            } catch (OutcomeUnknownException e) {
                return startOver(executes, e, e);
            }
            boolean more = false;
            for (int i = 0; i < operations.size(); i++) {
                MapOperation<K, V> operation = operations.get(i);
                if (operation.isPosted()) {
                    take(operation);
                }
                more |= operation.next() != MapOperation.Step.DONE;
            }
            return more;
        }

        private void post() {
            int bytes = 0;
            for (int i = 0; i < operations.size(); i++) {
                MapOperation<K, V> operation = operations.get(i);
                if (operation.next() == MapOperation.Step.DONE || bytes >= DOORBELL_BYTES_MAX) {
                    operation.pass();
                } else {
                    access.relyFrom(operation.since());
                    bytes += operation.post(access);
                }
            }
        }

        private void take(MapOperation<K, V> operation) {
            try {
                access.relyFrom(operation.since());
                operation.take(access);
            } catch (OutcomeUnknownException e) {
                // The others of the batch are carried out all the same: the caller learns of this one.
                operation.giveUp();
                if (failure == null) {
                    failure = e;
                } else {
                    failure.addSuppressed(e);
                }
            }
        }

        private boolean startOver(boolean executes, @Nullable OutcomeUnknownException unknown, RuntimeException cause) {
            boolean more = false;
            for (MapOperation<K, V> operation : operations) {
                if (executes && operation.isPosted()) {
                    access.relyFrom(operation.since());
                    operation.interrupted(access, unknown);
                }
                if (operation.next() != MapOperation.Step.DONE) {
                    operation.restart();
                    more = true;
                }
            }
            access.restart();
            if (more) {
                deadline().retry(phase(), cause);
            }
            return more;
        }

        /// Does what the operations that cannot go on need, if none can.
        private void splitOrWait() {
            MapOperation<K, V> full = null;
            MapOperation<K, V> waiting = null;
            boolean isRival = false;
            for (int i = 0; i < operations.size(); i++) {
                MapOperation<K, V> operation = operations.get(i);
                switch (operation.next()) {
                    case AGAIN -> {
                        return;
                    }
                    case SPLIT -> full = operation;
                    case AWAIT_SPLIT -> waiting = operation;
                    case AWAIT_RIVAL -> isRival = true;
                    case DONE -> {
                    }
                }
            }
            if (full != null) {
                if (!resizer.split(full.hash(), full.subtable(), deadline())) {
                    pause();
                }
            } else if (waiting != null && pauses >= PATIENT_PAUSES) {
                resizer.finish(waiting.hash(), waiting.subtable(), deadline());
                pauses = 0;
            } else if (waiting != null || isRival) {
                pause();
            }
        }

        private void pause() {
            long most = PAUSE_NANOS_MIN << Math.min(pauses++, PAUSE_DOUBLINGS_MAX);
            context.memory().pause(most / 2 + context.memory().random().nextLong(most / 2 + 1));
        }
    }
}
