package io.leasehold.benchmarks;

import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;

/// The other side of a [PlainRing]: answers what comes until standard input ends.
final class RingEcho {
    private static final int PATIENCE = 20_000;
    private static final long NAP_NANOS = 1_000_000;

    private RingEcho() {
    }

    /// Runs it on the file that the argument names.
    public static void main(String[] arguments) throws IOException {
        Thread watch = Thread.ofPlatform().daemon().name("lifeline").start(() -> {
            try {
                while (System.in.read() >= 0) {
                    // Nothing is expected but the end.
                }
            } catch (IOException e) {
                // As good as the end.
            }
        });
        try (PlainRing ring = new PlainRing(Path.of(arguments[0]), false)) {
            System.out.println("ready");
            for (int idle = 0; watch.isAlive();) {
                int count = ring.takeAll(PlainRing.REQUEST_BYTES);
                if (count > 0) {
                    for (int i = 0; i < count; i++) {
                        ring.put(PlainRing.ANSWER_BYTES);
                    }
                    ring.publish();
                    idle = 0;
                } else if (++idle < PATIENCE) {
                    Thread.yield();
                } else {
                    // Between turns it must not be in the way of others.
                    LockSupport.parkNanos(NAP_NANOS);
                }
            }
        }
    }
}
