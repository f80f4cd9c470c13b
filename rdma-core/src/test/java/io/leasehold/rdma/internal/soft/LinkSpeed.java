package io.leasehold.rdma.internal.soft;

import io.leasehold.rdma.DeviceOptions;
import io.leasehold.rdma.EndpointAddress;
import io.leasehold.rdma.Link;
import io.leasehold.rdma.PostStatus;
import io.leasehold.rdma.SendBatch;
import io.leasehold.rdma.internal.NicClock;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/// Measures the links between two processes: READs of 64 bytes, one at a time and in batches of 64, in short interleaved rounds,
/// beside what the bare ring of the shared-memory link does with frames of the same length, and the local link, which needs one
/// process only. A program to be run by hand, no test.
///
/// `LinkSpeed [seconds a round] [rounds]`; it starts the other process by itself. Both poll.
final class LinkSpeed {
    private static final int BYTES = 64;
    private static final int DEPTH = 64;
    private static final int LOOKS = 64;
    private static final double NANOS = 1e9;
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");
    private static final String BARE_RING = "bare ring";

    /// Something that carries so many requests of 64 bytes there and back.
    private record Candidate(String name, IntPredicate exchange, AutoCloseable resources) {
        double perSecond(int depth, double seconds) {
            long start = NicClock.nanos();
            long end = start + (long) (seconds * NANOS);
            long done = 0;
            while (NicClock.nanos() < end) {
                if (!exchange.test(depth)) {
                    throw new IllegalStateException(name + " failed");
                }
                done += depth;
            }
            return done * NANOS / (NicClock.nanos() - start);
        }
    }

    private LinkSpeed() {
    }

    /// Runs the client, or with `serve LINK` or `ring NAME` the other process.
    public static void main(String[] arguments) throws Exception {
        switch (arguments.length == 0 ? "" : arguments[0]) {
            case "serve" -> serve(Link.valueOf(arguments[1]));
            case "ring" -> echo(arguments[1]);
            default -> measure(arguments.length > 0 ? Double.parseDouble(arguments[0]) : 0.5,
                    arguments.length > 1 ? Integer.parseInt(arguments[1]) : 7);
        }
    }

    private static void measure(double seconds, int rounds) throws Exception {
        List<Candidate> candidates = new ArrayList<>();
        try {
            candidates.add(bareRing());
            candidates.add(remote(Link.SHARED_MEMORY));
            candidates.add(remote(Link.TCP));
            candidates.add(local());
            var single = new double[candidates.size()][rounds];
            var batched = new double[candidates.size()][rounds];
            for (int round = -1; round < rounds; round++) {
                for (int i = 0; i < candidates.size(); i++) {
                    double one = candidates.get(i).perSecond(1, seconds);
                    double many = candidates.get(i).perSecond(DEPTH, seconds);
                    // The first round is for the compiler.
                    if (round >= 0) {
                        single[i][round] = one;
                        batched[i][round] = many;
                    }
                }
            }
            System.out.printf("%d rounds of %.1f s: median (lowest to highest)%n", rounds, seconds);
            for (int i = 0; i < candidates.size(); i++) {
                System.out.printf("%-14s one at a time: %s ns each; in batches of %d: %s ns each%n", candidates.get(i).name(),
                        nanos(single[i]), DEPTH, nanos(batched[i]));
            }
        } finally {
            for (Candidate candidate : candidates) {
                candidate.resources().close();
            }
        }
    }

    private static String nanos(double[] perSecond) {
        double[] sorted = Arrays.stream(perSecond).map(rate -> NANOS / rate).sorted().toArray();
        return String.format("%,9.1f (%,.1f to %,.1f)", sorted[sorted.length / 2], sorted[0], sorted[sorted.length - 1]);
    }

    // ---- the links

    private static Candidate local() {
        Pair pair = new Pair(DeviceOptions.soft().withLinks(Link.LOCAL), 1 << 16);
        SendBatch batch = pair.client.queuePair.newSendBatch();
        return new Candidate(Link.LOCAL.name(), depth -> read(pair.client, batch, pair.server.region.address(),
                pair.server.region.remoteKey(), depth), pair);
    }

    private static Candidate remote(Link link) throws IOException {
        Forked server = Forked.run(LinkSpeed.class, "serve", link.name());
        String[] words = server.words();
        var client = new Pair.Side(DeviceOptions.soft().withLinks(link), 1 << 16, options -> options.withMaxReadAtomic(DEPTH));
        client.queuePair.connect(EndpointAddress.parse(words[0]), new byte[0], PATIENCE);
        long address = Long.parseLong(words[1]);
        int key = Integer.parseInt(words[2]);
        SendBatch batch = client.queuePair.newSendBatch();
        return new Candidate(link.name(), depth -> read(client, batch, address, key, depth), () -> {
            client.close();
            server.close();
        });
    }

    private static void serve(Link link) throws IOException {
        try (var side = new Pair.Side(DeviceOptions.soft().withLinks(link), 1 << 16, options -> options.withMaxReadAtomic(DEPTH));
                var listener = side.device.listen(request -> request.accept(side.queuePair, new byte[0]))) {
            System.out.println(listener.address() + " " + side.region.address() + " " + side.region.remoteKey());
            Forked.awaitRelease();
        }
    }

    private static boolean read(Pair.Side client, SendBatch batch, long remote, int key, int depth) {
        for (int i = 0; i < depth; i++) {
            batch.read(i, client.region, i * BYTES, BYTES, remote + i * BYTES, key);
            if (i < depth - 1) {
                batch.unsignalled();
            }
        }
        return batch.post() == PostStatus.POSTED && poll(client);
    }

    private static boolean poll(Pair.Side client) {
        for (int looks = 0; !client.completions.poll(client.completion); looks++) {
            pause(looks);
        }
        return client.completion.succeeded();
    }

    /// As a waiting lease does: looks for about a microsecond, then yields from look to look.
    private static void pause(long looks) {
        if (looks < LOOKS) {
            Thread.onSpinWait();
        } else {
            Thread.yield();
        }
    }

    // ---- the ring alone: a request without payload there, a frame with 64 bytes back

    private static Candidate bareRing() throws IOException {
        RingFile file = RingDirectory.open(SHARED_MEMORY).create();
        Forked echo = Forked.run(LinkSpeed.class, "ring", file.name());
        echo.words();
        file.unlink();
        var output = new RingOutput(file);
        var input = new RingInput(file);
        return new Candidate(BARE_RING, depth -> {
            for (int i = 0; i < depth; i++) {
                output.put(WorkRequests.READ, i, 0, BYTES);
            }
            output.publish();
            for (int got = 0; got < depth;) {
                for (int looks = 0; input.isEmpty(); looks++) {
                    pause(looks);
                }
                got += takeAll(input, null);
            }
            return true;
        }, () -> {
            echo.close();
            file.close();
        });
    }

    private static int takeAll(RingInput input, @Nullable RingOutput answers) {
        int count = 0;
        try {
            input.begin();
            while (input.next()) {
                count++;
                if (answers != null) {
                    answers.commit(answers.reserve(BYTES), Frame.DATA, BYTES, Frame.sequence(input.header(), 0), 0, 0, 0, 0);
                }
            }
        } catch (ProtocolViolation e) {
            throw new IllegalStateException(e);
        }
        input.giveBack();
        return count;
    }

    private static void echo(String name) throws IOException {
        Thread watch = Thread.ofPlatform().daemon().start(() -> {
            try {
                Forked.awaitRelease();
            } catch (IOException e) {
                throw new IllegalStateException(e);
            } finally {
                Runtime.getRuntime().halt(0);
            }
        });
        try (RingFile file = RingDirectory.open(SHARED_MEMORY).find(name)) {
            var output = new RingOutput(file);
            var input = new RingInput(file);
            System.out.println("ready");
            // It sleeps when nothing comes, so as not to be in the way of the others.
            for (long idle = 0; watch.isAlive();) {
                if (takeAll(input, output) > 0) {
                    output.publish();
                    idle = 0;
                } else if (++idle < 10_000) {
                    pause(idle);
                } else {
                    input.sleep(1_000_000_000L, () -> true);
                }
            }
        }
    }
}
